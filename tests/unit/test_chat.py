"""Dialogue: the ids that the model is given, what is forgotten, and how the command reads lines."""

import json
import shutil

import pytest

import picogpt
from picogpt.chat import is_dialogue_model, main
from picogpt.decoding.conversation import EXAMPLE, transcript
from picogpt.weights.find import find_model

MODEL = picogpt.load("fairytale")
END = MODEL.tokenizer.endoftext
FOLDER = find_model("fairytale", offline=True)


def encode(*turns: str) -> list[int]:
    return [i for turn in turns for i in (*MODEL.tokenizer.encode(turn), END)]


def test_turns_of_a_dialogue_model_end_with_its_end_token():
    chat = MODEL.chat(dialogue=True, max_new_tokens=8, temperature=0.0)
    first = chat.say("Who are you?")
    expected = MODEL.generate(encode("Who are you?"), 8)
    assert first == expected.lstrip() and first
    second = chat.say("And he?")
    assert second == MODEL.generate(encode("Who are you?", first, "And he?"), 8).lstrip()
    assert chat.turns == ["Who are you?", first, "And he?", second]


def test_other_models_go_on_with_a_transcript():
    chat = MODEL.chat(max_new_tokens=30, temperature=0.0)
    text = chat.say("Who are\nyou?")
    assert text
    assert (
        text == MODEL.generate(f"{EXAMPLE}A: “Who are you?”\nB: “", 30, stop=["”", "\n"]).lstrip()
    )
    assert chat.prompt_ids([*chat.turns, "I?"]) == MODEL.tokenizer.encode(
        f"{EXAMPLE}A: “Who are you?”\nB: “{' '.join(text.split())}”\nA: “I?”\nB: “"
    )


@pytest.mark.parametrize("dialogue", [True, False])
def test_the_oldest_turns_are_forgotten(dialogue):
    chat = MODEL.chat(dialogue=dialogue, max_new_tokens=20)
    turns = [f"{i} is a number. " * 4 for i in range(21)]
    ids = chat.prompt_ids(turns)
    assert len(ids) + 20 <= MODEL.config.n_ctx
    # the first pair of turns that was kept: one pair more would not have fitted
    (start,) = (start for start in range(2, 21, 2) if chat._ids(turns[start:]) == ids)
    assert len(chat._ids(turns[start - 2 :])) + 20 > MODEL.config.n_ctx
    with pytest.raises(ValueError, match="the turn takes .* tokens, expected at most 236"):
        chat.stream("word " * 300)
    with pytest.raises(ValueError, match="empty"):
        chat.stream(" \n")
    assert chat.turns == []


def test_what_was_said_of_an_answer_that_was_interrupted_is_a_turn():
    chat = MODEL.chat(dialogue=True, temperature=0.0)
    pieces = chat.stream("Who?")
    seen = next(pieces) + next(pieces)
    pieces.close()
    assert chat.turns == ["Who?", seen]


def test_undo_and_reset():
    chat = MODEL.chat(dialogue=True, max_new_tokens=1)
    with pytest.raises(ValueError, match="nothing was said"):
        chat.undo()
    chat.turns += ["a", "b", "c", "d"]
    chat.undo()
    assert chat.turns == ["a", "b"]
    chat.reset()
    assert chat.turns == []


def test_transcript():
    assert transcript(["Hello,\n you", "Hello."]) == "A: “Hello, you”\nB: “Hello.”\n"


@pytest.fixture
def dialogue_model(tmp_path):
    """A folder that says of itself what DialoGPT's does."""
    folder = tmp_path / "dialogue"
    shutil.copytree(FOLDER, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["task_specific_params"] = {"conversational": {"max_length": 1000}}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def test_which_models_know_dialogues(dialogue_model, tmp_path):
    assert is_dialogue_model(dialogue_model)
    assert not is_dialogue_model(FOLDER)
    assert not is_dialogue_model(tmp_path)


def talk(monkeypatch, *lines: str, model=FOLDER, arguments=("-t", "0", "-n", "8")) -> int:
    left = [*lines]

    def line(_):
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr("builtins.input", line)
    return main(["-m", str(model), *arguments])


def test_the_command(monkeypatch, capsys, dialogue_model, tmp_path):
    file = tmp_path / "talk.txt"
    lines = [
        "Who are you?",
        "And he?",
        "/undo",
        f"/save {file}",
        f"/save {file}",
        "/save",
        "/reset",
    ]
    assert talk(monkeypatch, *lines, "/undo", "/what", "", model=dialogue_model) == 0
    out, err = capsys.readouterr()
    answer = MODEL.generate(encode("Who are you?"), 8).lstrip()
    assert answer in out and err == ""
    assert file.read_text("utf-8") == transcript(["Who are you?", answer])
    for message in (
        "is there already",
        "/save needs the name",
        "nothing was said yet",
        "/undo forgets",
    ):
        assert message in out


@pytest.mark.parametrize("setting", ["-t -1", "-t nan", "-k -1", "-p 3", "--seed -1", "-n 0"])
def test_a_setting_that_makes_no_sense_is_refused_at_once(capsys, setting):
    with pytest.raises(SystemExit, match="2"):
        main(["-m", "no-such-model", *setting.split()])
    assert "expected" in capsys.readouterr().err


def test_no_input_at_all(monkeypatch, capsys, dialogue_model):
    monkeypatch.setattr("sys.stdin", None)
    assert main(["-m", str(dialogue_model)]) == 1
    assert capsys.readouterr().err == "picogpt: standard input is closed\n"


def test_the_command_says_what_the_model_is_not(monkeypatch, capsys):
    assert talk(monkeypatch, "Hello") == 0
    assert "this model was not trained on dialogues" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["-n", "0"])


def test_ctrl_c_ends_an_answer(monkeypatch, capsys, dialogue_model):
    def stream(*_, **__):
        yield "Well"
        raise KeyboardInterrupt

    monkeypatch.setattr(picogpt.GPT2, "stream", stream)
    assert talk(monkeypatch, "Who?", "And?", model=dialogue_model) == 0
    assert capsys.readouterr().out.count("Well\n") == 2
