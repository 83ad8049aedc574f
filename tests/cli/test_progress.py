"""Lines of progress, where there is no terminal."""

import pytest
from seco.cli.progress import Counted, track


@pytest.fixture
def lines(capsys):
    """What is shown of counts at these times, s."""

    def shown(*calls, times):
        clock = iter((0.0, *times))
        with Counted("steps", clock=lambda: next(clock)) as counted:
            for call in calls:
                counted(*call)
        return capsys.readouterr().err.splitlines()

    return shown


def test_now_and_then_and_at_the_end(lines):
    counts = [(done, 4) for done in range(5)]
    assert lines(*counts, times=(0, 1, 6, 7, 8)) == [
        "2/4 steps, 0.3 steps/s, 0:00:06 left",
        "4/4 steps, 0.5 steps/s",
    ]


def test_what_was_done_before_is_no_speed(lines):
    assert lines((100, 200, ""), (110, 200, "loss 3"), times=(0, 10)) == ["110/200 steps, loss 3, 0:01:30 left"]


def test_a_long_time(lines):
    assert lines((0, 10**6), (1, 10**6), times=(0, 10)) == ["1/1000000 steps, 0.1 steps/s, 115 days, 17:46:30 left"]


def test_nothing_done(lines):
    assert lines((3, 9, "3 rejected [red]"), (3, 9, "4 rejected [red]"), times=(0, 6)) == [
        "3/9 steps, 4 rejected [red], time left not known"
    ]


def test_items_of_several(capsys):
    assert list(track([[1, 2], [3]], "images read", size=len)) == [[1, 2], [3]]
    assert capsys.readouterr().err == "3/3 images read\n"


def test_no_items(capsys):
    assert list(track([], "images read")) == []
    assert capsys.readouterr().err == ""


def test_long_work_has_lines(capsys, monkeypatch):
    monkeypatch.setattr("seco.cli.progress.LINE_INTERVAL_S", 0)
    assert list(track(range(2), "epochs")) == [0, 1]
    shown = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in shown] == ["0/2 epochs", "1/2 epochs", "2/2 epochs"]
