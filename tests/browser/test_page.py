"""The page in a real browser: its numbers are NumPy's, and everybody can use it."""

import threading

import numpy as np
import pytest
from browsing import close, read

import picogpt
from picogpt.decoding.sampling import Sampling, process_logits
from picogpt.explain.server import make_server
from picogpt.ops import softmax
from picogpt.tap import record

MODEL = picogpt.load("fairytale")
PROMPT = "The king had three sons. The youngest"
NASTY = "</script><!--<b>\"'& \U0001f600 \u05e9\u05dc\u05d5\u05dd \x00 \ud800 {{data}}"


def page_of(model, prompt, n, folder) -> str:
    return model.explain(prompt, n).save(folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def king(tmp_path_factory):
    return page_of(MODEL, PROMPT, 15, tmp_path_factory.mktemp("king"))


def recorded() -> tuple[list[int], dict]:
    ids = MODEL.prompt_ids(PROMPT)
    ids += [step.id for step in MODEL.steps(PROMPT, 15)]
    activations = {}
    MODEL(ids, tap=record(activations))
    return ids, activations


def test_the_numbers_are_those_of_numpy(visit, king):
    page = visit(king)
    ids, activations = recorded()
    page.select_option("#block", "3")
    page.select_option("#head", "5")
    page.locator("#tokens button").nth(10).click()
    seen = 0
    for label, name in {
        "wte, row": "wte",
        "wpe, row": "wpe",
        "embed": "embed",
        "ln_1:": "h.3.ln_1",
        "resid_mid": "h.3.resid_mid",
        "ln_2": "h.3.ln_2",
        "c_fc": "h.3.mlp.c_fc",
        "gelu": "h.3.mlp.gelu",
        "merged": "h.3.attn.merged",
        "resid:": "h.3.resid",
        "ln_f": "ln_f",
    }.items():
        close(read(page, label, 15), activations[name][10][:15])
        seen += 15
    for x in "qkv":
        close(read(page, f"{x} of head 5", 10), activations[f"h.3.attn.{x}"][5, 10, :10])
        seen += 10
    for label, name in (("scores, with", "scores"), ("weights, after", "weights")):
        # the last row, from its first column
        close(read(page, label, 20), activations[f"h.3.attn.{name}"][5, -1, :20])
        seen += 20
    logits = page.locator("#ln_f .numbers tbody td:last-child").all_inner_texts()
    close([float(x) for x in logits], np.sort(activations["logits"][10])[::-1][: len(logits)])
    assert seen + len(logits) >= 200


@pytest.mark.parametrize(
    "name, slider, value",
    [
        ("temperature", "temperature", 0.5),
        ("top_k", "topK", 5),
        ("top_p", "topP", 0.6),
        ("min_p", "minP", 0.2),
    ],
)
def test_each_slider_is_the_sampling_of_numpy(visit, king, name, slider, value):
    page = visit(king)
    ids, activations = recorded()
    page.locator(f'[data-slider="{slider}"]').fill(str(value))
    position = len(MODEL.prompt_ids(PROMPT)) - 1
    settings = {"temperature": 1.0} | {name: value}
    expected = softmax(process_logits(activations["logits"][position], ids, Sampling(**settings)))
    texts = page.locator("#distribution td:nth-child(3)").all_inner_texts()
    shown = [0 if text == "removed" else float(text.split(" ")[0]) for text in texts]
    np.testing.assert_allclose(shown, 100 * np.sort(expected)[::-1][:15], atol=0.006)
    page.click("#die")
    assert page.locator("#drawn").inner_text()


def test_by_keyboard_alone(visit, king):
    page = visit(king)
    page.keyboard.press("Tab")  # the first token
    page.keyboard.press("Enter")
    assert page.locator("#chosen").inner_text().startswith("Token 0 The")
    links = page.locator("#map a")
    for i in range(links.count()):
        links.nth(i).focus()
        target = links.nth(i).get_attribute("data-target")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == target
        assert page.locator(f"#{target}").is_visible()
    reached = set()
    page.locator("#tokens button").first.focus()
    for _ in range(250):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('section, nav, div[id]')?.id"))
    assert {"text", "embed", "scores", "mlp", "grid", "lens", "distribution", "written"} <= reached


def test_every_token_head_and_source(visit, king):
    page = visit(king)
    for i in range(page.locator("#tokens button").count()):
        page.locator("#tokens button").nth(i).click()
        assert page.locator("#chosen").inner_text().startswith(f"Token {i} ")
    for i in (0, 9, 39):
        page.locator("#grid button").nth(i).click()
        large = page.locator("#large")
        assert large.locator("h4").first.inner_text().startswith(f"Block {i // 8}, head {i % 8}")
    last = len(MODEL.prompt_ids(PROMPT)) + 14
    ids, activations = recorded()
    shares = activations["h.2.attn.weights"][1, last]
    page.locator("#tokens button").nth(last).click()
    page.locator("#grid button").nth(17).click()
    best = int(shares.argmax())
    said = f"looks most at: {best} {MODEL.tokenizer.decode([ids[best]]).replace(' ', '␣')} "
    assert f"{said}{100 * shares[best]:.2f} %" in large.locator(".most").inner_text()
    page.locator("#tokens button").first.click()
    assert page.locator("#large svg").bounding_box()["height"] < 150  # one token is no giant
    assert "likeliest was taken" in page.locator("#written").inner_text()
    page.locator("#written button").nth(2).click()
    first = len(MODEL.prompt_ids(PROMPT))
    assert page.locator("#chosen").inner_text().startswith(f"Token {first + 1} ")
    for details in page.locator("details").all():
        details.locator("summary").click()
        assert "def " in details.locator("pre").first.inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_no_width_needs_to_scroll_sideways_and_axe_finds_nothing(visit, king, axe, width, theme):
    page = visit(king, width, theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(x => { x.open = true; })")
    page.evaluate(axe)
    found = page.evaluate("axe.run()")["violations"]
    serious = [x for x in found if x["impact"] in ("serious", "critical")]
    assert [(x["id"], x["nodes"][0]["html"][:200]) for x in serious] == []


def test_the_served_page_takes_a_prompt(visit, axe):
    with make_server(MODEL, "The king", 2) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        page = visit(address + "?prompt=The+king&n=2&silence=1.3")
        page.evaluate(axe)
        found = page.evaluate("axe.run()")["violations"]
        assert [x["id"] for x in found if x["impact"] in ("serious", "critical")] == []
        page.fill("textarea", "The queen was </textarea><b>")
        page.click("form button")
        page.wait_for_function("document.querySelector('#tokens').textContent.includes('queen')")
        assert page.input_value("textarea") == "The queen was </textarea><b>"
        server.shutdown()


def test_a_part_of_the_page(visit, tmp_path):
    shown = ["map", "scores", "attention"]
    part = MODEL.explain("The king had", 0, blocks=[4], boxes=shown)
    page = visit(part.save(tmp_path / "part.html").as_uri())
    assert page.locator("main > section:visible").count() == 2
    for box in shown:
        assert page.locator(f"#{box}").is_visible()
    assert not page.locator("h1").is_visible() and page.input_value("#block") == "4"
    page.locator("#grid button").nth(9).click()  # a block whose numbers are not kept
    assert not page.locator("#scores").is_visible() and page.locator(".missing").is_visible()
    assert page.locator("#large h4").first.inner_text().startswith("Block 1, head 1")


def test_a_part_without_a_block(visit, tmp_path):
    part = MODEL.explain("The king had", 0, blocks=[], boxes=["next", "written"])
    page = visit(part.save(tmp_path / "part.html").as_uri())
    assert page.locator("main > section:visible").count() == 2
    assert not page.locator(".missing").is_visible()
    assert not page.locator("#block").is_visible() and not page.locator("#head").is_visible()


def test_paper_has_all_that_is_chosen(visit, king):
    page = visit(king, 700)
    page.emulate_media(media="print")
    tokens = page.locator("#tokens")
    assert tokens.evaluate("x => x.scrollWidth <= x.clientWidth")
    assert page.locator("#choices").evaluate("x => getComputedStyle(x).position") == "static"
    assert page.pdf().startswith(b"%PDF")


def test_any_prompt(visit, tmp_path):
    page = visit(page_of(MODEL, NASTY, 1, tmp_path))
    assert page.locator("#tokens button").count() == len(MODEL.prompt_ids(NASTY)) + 1
    assert page.locator("b").count() == 0
