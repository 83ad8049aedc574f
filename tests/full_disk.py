"""What a full disk does to a program, without filling one."""

import resource
from contextlib import contextmanager


@contextmanager
def files_no_longer_than(size):
    """Writing more fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
