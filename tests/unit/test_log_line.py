"""What a run says about itself: speed, time left, and a line that harms no terminal."""

import pytest

from picogpt.train import log_line
from picogpt.train.log_line import Clock, line

RECORD = {
    "step": 20,
    "loss": 4.71239,
    "valid_loss": 3.86571,
    "valid_bits_per_byte": 1.57704,
    "best": True,
    "tokens_per_second": 7012,
    "seconds_left": 3723,
}


def test_a_line():
    assert line(RECORD, steps=1000) == (
        "step   20/1000  loss 4.7124  valid 3.8657 nats/token 1.5770 bits/byte *   7,012 tokens/s"
        "  1:02:03 left"
    )


def test_the_first_line():
    first = RECORD | {"loss": None, "tokens_per_second": None, "seconds_left": None, "best": False}
    assert line(first, 20) == "step 20/20  loss      -  valid 3.8657 nats/token 1.5770 bits/byte  "


def test_a_sample_is_shown_without_control_characters():
    _, *sample = line(RECORD | {"sample": "Once\n\x1b[2Jupon é\x07"}, 1000).split("\n")
    assert sample == ["    Once", "    ?[2Jupon é?"]


@pytest.fixture
def now(monkeypatch) -> list:
    """The time in seconds, to be set by the test."""
    now = [1000.0]
    monkeypatch.setattr(log_line.time, "monotonic", lambda: now[0])
    return now


def test_speed_and_time_left(now):
    clock = Clock(step=100, seconds=50.0)  # resumed at step 100
    assert clock.read(100, 500, 32) == {
        "tokens_per_second": None,
        "seconds_left": None,
        "seconds": 50.0,
    }
    now[0] += 10  # an evaluation
    clock.resume(100)
    now[0] += 40  # 100 steps
    assert clock.read(200, 500, 32) == {
        "tokens_per_second": 80,  # 100 * 32 in 40 s
        "seconds_left": 150,  # 300 steps, of which 100 took 50 s with an evaluation
        "seconds": 100.0,
    }
    now[0] += 10
    clock.resume(200)
    now[0] += 20
    assert clock.read(300, 500, 32)["tokens_per_second"] == 160
    assert clock.read(300, 500, 32)["seconds_left"] == 80
    assert clock.seconds() == 130.0


@pytest.mark.parametrize("terminal", [True, False])
def test_an_estimate_after_a_few_steps_and_a_counter_on_a_terminal(capsys, monkeypatch, terminal):
    now = iter(range(0, 1000, 2))  # a step takes two seconds
    monkeypatch.setattr(log_line.time, "monotonic", lambda: next(now))
    clock = Clock(step=10, seconds=0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    for step in range(11, 17):
        log_line.show_counter(clock, step, 20)
    err = capsys.readouterr().err
    assert err.count("picogpt: about 0:00:") == 1
    assert err.count("for the remaining steps\n") == 1
    assert ("step 16/20, 0:00:" in err) == terminal
