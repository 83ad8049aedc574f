import threading

import numpy as np
import torch

from seco.ops import recycled

SHAPE = (3, 1 << 19)


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_of_an_array_that_ended_is_used_again():
    first = recycled.empty(SHAPE, np.float32)
    place = address(first)
    assert first.shape == SHAPE
    assert first.dtype == np.float32
    assert first.flags.writeable
    assert first.flags.c_contiguous
    del first
    assert address(recycled.empty(SHAPE[::-1], np.int32)) == place


def test_memory_in_use_is_left_alone():
    array = recycled.empty(SHAPE, np.float32)
    array[:] = 7
    kept = torch.from_numpy(array)[1:, ::2].T  # a view of a view, in another library
    del array
    others = [recycled.empty(SHAPE, np.float32) for _ in range(3)]
    for other in others:
        other[:] = 0
    assert (kept == 7).all()
    assert len({address(other) for other in others}) == 3


def test_threads_never_share_memory():
    mistakes = []

    def work(number):
        for _ in range(200):
            array = recycled.empty(SHAPE, np.uint8)
            array[0, :100] = number
            if not (array[0, :100] == number).all():
                mistakes.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mistakes


def test_small_and_empty_arrays_are_numpys():
    assert recycled.empty((0, 4), np.float32).shape == (0, 4)
    assert recycled.empty((2, 2), np.uint16).base is None
