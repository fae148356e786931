"""The page in Firefox, which has its own script engine, formulas and layout."""

import shutil

import numpy as np
import pytest

import picogpt
from picogpt.tap import record

marionette = pytest.importorskip("marionette_driver", reason='needs the extra "browser"')
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
by, keys = marionette.By, marionette.keys.Keys
PROMPT = "The king had three sons. The youngest"
MODEL = picogpt.load("fairytale")


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    """Firefox with the page, from a file, and every error of the page in window.errors."""
    if not FIREFOX:
        pytest.skip("needs Firefox: apt-get install firefox-esr")
    folder = tmp_path_factory.mktemp("firefox")
    page = MODEL.explain(PROMPT, 4).save(folder / "page.html")
    client = marionette.marionette.Marionette(
        bin=FIREFOX, headless=True, gecko_log=str(folder / "log"), startup_timeout=120
    )
    client.start_session()
    client.navigate(page.as_uri())
    yield client
    client.cleanup()
    client.instance.profile = None  # or its __del__ fails when Python ends


def test_the_numbers_are_those_of_numpy(firefox):
    find = firefox.find_element
    firefox.find_elements(by.CSS_SELECTOR, "#tokens button")[6].click()
    find(by.CSS_SELECTOR, "#block option:nth-child(3)").click()
    ids = MODEL.prompt_ids(PROMPT) + [step.id for step in MODEL.steps(PROMPT, 4)]
    activations = {}
    MODEL(ids, tap=record(activations))
    stream = find(by.CSS_SELECTOR, "#resid canvas")
    shown = []
    for _ in range(20):
        stream.send_keys(keys.ARROW_RIGHT)
        shown.append(float(find(by.CSS_SELECTOR, "#resid output").text.rsplit(": ")[-1]))
    expected = activations["h.2.resid"][6]
    np.testing.assert_allclose(shown, expected[1:21], atol=1e-3 * np.abs(expected).max())
    logits = firefox.execute_script(
        "return [...document.querySelectorAll('#ln_f .numbers tbody td:last-child')]"
        ".map(x => Number(x.textContent))"
    )
    np.testing.assert_allclose(logits, np.sort(activations["logits"][6])[:-11:-1], rtol=1e-3)


def test_it_is_laid_out_and_answers(firefox):
    """Formulas have a size, nothing needs to be scrolled sideways, keys and sliders work."""
    assert firefox.execute_script(
        "return [...document.querySelectorAll('math')].every(x => x.getBoundingClientRect().height > 12)"
    )
    assert firefox.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    tokens = firefox.find_elements(by.CSS_SELECTOR, "#tokens button")
    tokens[1].send_keys(keys.ENTER)
    assert firefox.find_element(by.ID, "chosen").text.startswith("Token 1 ")
    before = firefox.find_element(by.ID, "distribution").text
    firefox.find_element(by.CSS_SELECTOR, "[data-slider=topK]").send_keys(keys.ARROW_RIGHT)
    after = firefox.find_element(by.ID, "distribution").text
    assert before != after and "Tokens that may be drawn: 1." in after
