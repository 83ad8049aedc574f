"""Carries requests: as many connections as there are requests at once, and an end to every wait."""

import time
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

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
        self._session.trust_env = False
        adapter = HTTPAdapter(pool_maxsize=connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._environment = lru_cache(maxsize=8)(self._read_environment)

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
        origin = urlsplit(uri)
        environment = self._environment(f"{origin.scheme}://{origin.netloc}/")
        limits = (min(CONNECT_S, self._timeout_s), self._timeout_s)
        try:
            with self._session.request(
                method, uri, data=body, headers=headers, timeout=limits, stream=True, **environment
            ) as response:
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

    def _read_environment(self, origin: str) -> dict[str, Any]:
        """Proxies and certificates, once: for each request it takes as long as the request."""
        found = requests.Session().merge_environment_settings(origin, {}, None, None, None)
        return {name: found[name] for name in ("proxies", "verify", "cert")}

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
