"""Carries requests: as many connections as there are requests at once, and an end to every wait."""

import time

import httplib2
import requests
from requests.adapters import HTTPAdapter

CONNECT_S = 20.0
CHUNK_BYTES = 1 << 20


class Transport:
    """What ``ee.Initialize(http_transport=…)`` takes: httplib2's way of asking on a pool of ``requests``.

    The client's own transport has no time-out and keeps 10 connections, so that at 40 threads it opens new ones all along.

    Args:
        connections: Kept open at once.
        timeout_s: Longest time for a whole answer.
    """

    def __init__(self, connections: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_maxsize=connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        **_: object,
    ) -> tuple[httplib2.Response, bytes]:
        """Response and content of one request.

        Raises:
            ConnectionError: If the line failed, or the content ended early.
            TimeoutError: If the answer took longer than it may.
        """
        end = time.monotonic() + self._timeout_s
        limits = (min(CONNECT_S, self._timeout_s), self._timeout_s)
        try:
            with self._session.request(method, uri, data=body, headers=headers, timeout=limits, stream=True) as response:
                chunks = []
                for chunk in response.iter_content(CHUNK_BYTES):
                    chunks.append(chunk)
                    if time.monotonic() > end:
                        raise TimeoutError("the answer goes on for too long")
                return httplib2.Response(dict(response.headers) | {"status": str(response.status_code)}), b"".join(chunks)
        except requests.Timeout as error:
            raise TimeoutError("no answer") from error
        except requests.RequestException as error:
            raise ConnectionError(type(error).__name__) from error

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
