"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# An example may take long on a busy machine; what it finds counts, not how soon.
settings.register_profile("picogpt", deadline=None)
settings.load_profile("picogpt")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of files that are not part of the repository (gpt2-124M/, corpus/, ...)."""
    folder = os.environ.get("PICOGPT_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("PICOGPT_TEST_DATA does not name a folder of test data")
    return Path(folder)


@pytest.fixture(scope="session")
def openai_files(test_data: Path) -> Path:
    """OpenAI's 124M release without its data file: vocabulary, hparams.json, index."""
    folder = test_data / "gpt2-124M"
    if not folder.is_dir():
        pytest.skip(f"{test_data} holds no folder gpt2-124M")
    return folder
