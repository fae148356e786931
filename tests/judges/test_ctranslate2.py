"""An exported folder, converted and run by CTranslate2, writes the same text."""

import ctranslate2
import pytest
from ctranslate2.converters import TransformersConverter

import picogpt

PROMPTS = ["Once upon a time", "The king had three sons. The youngest", "“Who is there?” said the"]


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    picogpt.load("fairytale").save(folder / "hugging-face")
    TransformersConverter(str(folder / "hugging-face")).convert(str(folder / "ctranslate2"))
    return ctranslate2.Generator(str(folder / "ctranslate2"), device="cpu", compute_type="float32")


def margin(logits) -> float:
    """By how much the largest logit is larger than the second."""
    second, first = sorted(logits.tolist())[-2:]
    return first - second


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_likeliest_tokens(generator, prompt):
    model = picogpt.load("fairytale")
    token_of = {i: token for token, i in model.tokenizer.encoder.items()}
    tokens = [token_of[i] for i in model.prompt_ids(prompt)]
    steps = list(model.steps(prompt, 60))
    # As long as the two best candidates are further apart than rounding, the choice is the same.
    margins = [margin(step.logits) for step in steps]
    n = next((i for i, x in enumerate(margins) if x < 1e-3), len(steps))
    assert n >= 20
    (result,) = generator.generate_batch(
        [tokens], max_length=n, sampling_topk=1, include_prompt_in_result=False
    )
    assert result.sequences_ids[0] == [step.id for step in steps[:n]]
