"""Processes that are forked while other threads are at work, as torch's DataLoader forks its workers."""

import os
import signal
import threading

import numpy as np
import pytest

from seco.ops.augment import augment_views
from seco.ops.fork_safe import fork_safe_lock
from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def runs_in_a_fork(work):
    """Whether a forked process comes to the end of ``work`` within ten seconds."""
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(10)
        ended_well = False
        try:
            work()
            ended_well = True
        finally:
            os._exit(0 if ended_well else 1)
    return os.waitpid(process, 0)[1] == 0


def test_a_lock_that_another_thread_holds_is_free_in_a_fork():
    lock, held = fork_safe_lock(), threading.Event()

    def hold():
        with lock:
            held.set()
            threading.Event().wait(0.2)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    assert runs_in_a_fork(lock.acquire)
    holder.join()
    assert not lock.locked()


def test_a_fork_may_make_views_while_threads_of_its_parent_do():
    pixels = np.ones((2, 1, 1, 4, 4), np.uint8)
    recipe = RECIPES["moco"].for_bands(["B08"])
    params = sample_view_params(recipe, np.arange(2), epoch=0, seed=0, height=4, width=4, dates=1)
    ended = threading.Event()

    def make():
        augment_views(pixels, params, size=4, scale=1, offset=0, mean=0, std=1, threads=2)

    def make_many():
        while not ended.is_set():
            make()

    threads = [threading.Thread(target=make_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert all(runs_in_a_fork(make) for _ in range(150))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
