"""Threads that do jobs, and end with the program whatever they are at."""

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
LAST_WORD_S = 5.0


class Workers(Generic[T]):
    """A pool of daemon threads: unlike an executor's, they do not keep an interrupted program waiting for an answer.

    Args:
        count: Number of threads.
    """

    def __init__(self, count: int) -> None:
        self.running = 0
        self._jobs: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[T | BaseException] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[[], T]) -> None:
        """Have a thread do a job."""
        self.running += 1
        self._jobs.put(job)

    def result(self, timeout_s: float) -> T | None:
        """Wait for the result of any job, None after so long; the error of one that failed is raised here."""
        try:
            result = self._results.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self.running -= 1
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> list[T]:
        """Begin no more jobs; what those under way still give within a few seconds."""
        while not self._jobs.empty():
            self._jobs.get()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(LAST_WORD_S / len(self._threads))
        late = [self._results.get() for _ in range(self._results.qsize())]
        return [result for result in late if not isinstance(result, BaseException)]

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._results.put(job())
            except BaseException as error:
                self._results.put(error)
