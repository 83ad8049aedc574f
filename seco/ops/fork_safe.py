"""Locks and forks: a process forked while another thread holds a lock would wait for it without end."""

import os
import threading


def fork_safe_lock() -> threading.Lock:
    """A lock for the life of the process that no forked process finds locked, for forks wait for it."""
    lock = threading.Lock()
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
