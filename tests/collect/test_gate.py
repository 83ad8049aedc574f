"""How many requests go through at once, and when one is made again."""

import itertools
import threading
import time
from contextlib import suppress
from email.utils import formatdate

import pytest

from seco.collect.gate import RequestGate, Stopped, seconds_of
from seco.errors import SceneError, SourceError


def failing(times, **how):
    """A request that fails so many times, and the list of its calls."""
    calls = []

    def request():
        calls.append(time.monotonic())
        if len(calls) <= times:
            raise SourceError("no", **how)
        return "answer"

    return request, calls


def test_retriable_errors_are_tried_again():
    request, calls = failing(3, retriable=True)
    assert RequestGate(backoff_s=0.001).call(request) == "answer"
    assert len(calls) == 4


def test_other_errors_are_not():
    request, calls = failing(1)
    with pytest.raises(SourceError):
        RequestGate(backoff_s=0.001).call(request)
    assert len(calls) == 1


def test_an_end_comes_to_trying():
    request, calls = failing(9, retriable=True)
    with pytest.raises(SourceError):
        RequestGate(backoff_s=0.001, tries=4, outage_s=0.0).call(request)
    assert len(calls) == 4


def test_an_outage_is_waited_for():
    request, calls = failing(9, retriable=True)
    assert RequestGate(backoff_s=0.001, tries=4).call(request) == "answer"
    request, calls = failing(1_000, retriable=True)
    with pytest.raises(SourceError):
        RequestGate(backoff_s=0.001, tries=4, outage_s=0.1).call(request)
    assert calls[-1] - calls[0] >= 0.1


def test_an_outage_while_many_are_at_it_costs_none_of_them():
    gate, down = RequestGate(backoff_s=0.02, tries=4), threading.Event()
    failed = []

    def request():
        time.sleep(0.002)
        if down.is_set():
            raise SourceError("down", retriable=True)

    def call():
        try:
            for _ in range(50):
                gate.call(request)
        except SourceError as error:
            failed.append(error)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    down.set()
    time.sleep(1.5)
    down.clear()
    for thread in threads:
        thread.join()
    assert not failed


def test_tries_in_an_outage_do_not_count_after_it():
    gate, answers = RequestGate(backoff_s=0.0, tries=4), itertools.count()

    def request():
        number = next(answers)
        if number > 20:
            gate.call(lambda: None)  # the line is back
        if number < 23:
            raise SourceError("no", retriable=True)
        return number

    assert gate.call(request) == 23


@pytest.mark.parametrize(("kind", "tries"), [("pixels", 4), ("listing", 10)])
def test_answers_of_the_same_kind_say_that_it_is_no_outage(kind, tries):
    gate, (request, calls) = RequestGate(backoff_s=0.0, tries=4), failing(9, retriable=True)

    def fail_beside_others():
        gate.call(lambda: None, "pixels")
        return request()

    with suppress(SourceError):
        gate.call(fail_beside_others, kind)
    assert len(calls) == tries


def test_what_a_scene_lacks_is_no_outage():
    calls = []

    def damaged():
        calls.append(None)
        raise SceneError("damaged", retriable=True)

    with pytest.raises(SceneError):
        RequestGate(backoff_s=0.0, tries=4).call(damaged)
    assert len(calls) == 4


def test_retry_after_is_waited_for():
    request, calls = failing(1, quota=True, retry_after_s=0.3)
    RequestGate(backoff_s=0.0).call(request)
    assert calls[1] - calls[0] >= 0.3


def run_at_once(gate, request, count):
    threads = [threading.Thread(target=gate.call, args=(request,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Load:
    """A request that takes a moment, and counts how many are at it."""

    def __init__(self, capacity=1000):
        self.now = self.peak = 0
        self.capacity, self.refused = capacity, 0
        self.lock = threading.Lock()

    def __call__(self):
        with self.lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            full = self.now > self.capacity
            self.refused += full
        time.sleep(0.01)  # long beside what a busy machine takes to start a thread
        with self.lock:
            self.now -= 1
        if full:
            raise SourceError("too many", quota=True)


def test_limit_grows_to_the_most_and_no_further():
    gate, load = RequestGate(most=16), Load()
    for _ in range(40):
        run_at_once(gate, load, 32)
    assert 10 < load.peak <= 16


def test_quota_answers_halve_the_limit_once_for_all_in_flight():
    gate = RequestGate(most=40, backoff_s=0.0)
    barrier = threading.Barrier(10)
    first = threading.local()

    def refused_together():
        if not getattr(first, "was", False):
            first.was = True
            barrier.wait(5)
            raise SourceError("too many", quota=True)

    run_at_once(gate, refused_together, 10)
    assert 5.0 <= gate.limit < 8.0  # 10 / 2, and ten successes since


def test_all_get_through_a_narrow_door():
    gate, load = RequestGate(most=40, backoff_s=0.001, tries=50), Load(capacity=3)
    for _ in range(10):
        run_at_once(gate, load, 40)
    assert load.refused < 400


def test_stop_wakes_whoever_waits():
    gate = RequestGate(backoff_s=60.0)
    outcome = []

    def call():
        try:
            gate.call(failing(9, retriable=True, quota=True, retry_after_s=60.0)[0])
        except Stopped:
            outcome.append("stopped")

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.05)
    gate.stop()
    thread.join(5)
    assert outcome == ["stopped"]


@pytest.mark.parametrize(
    ("header", "seconds"), [("17", 17.0), ("", 0.0), ("soon", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("-3", 0.0)]
)
def test_retry_after_in_seconds_and_nonsense(header, seconds):
    assert seconds_of(header) == seconds


def test_retry_after_as_a_date():
    assert 3000 < seconds_of(formatdate(time.time() + 3600, usegmt=True)) <= 3600
