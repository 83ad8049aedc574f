"""Catalogues of items: an API that searches, or files that are searched here."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import requests
from pystac import Catalog
from pystac.errors import STACError
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from shapely.geometry import shape
from shapely.strtree import STRtree

from seco.collect.stac.items import time_of
from seco.errors import ConfigError, SourceError

TIMEOUT_S = 60.0
PAGE = 250  # items of one answer
TRANSIENT = (408, 429, 500, 502, 503, 504)

Box = tuple[float, float, float, float]  # west, south, east, north, degrees


class Items(Protocol):
    """Where items are looked up."""

    def search(self, box: Box, first: str, last: str) -> list[Any]:
        """Items that touch a box, between two days such as ``2021-06-21``, both included."""


class ApiItems:
    """Items of a STAC API.

    Args:
        url: Of its landing page.
        collection: Identifier of the collection.

    Raises:
        SourceError: If the server does not answer, or is no STAC API.
        ConfigError: If it has no such collection.
    """

    def __init__(self, url: str, collection: str) -> None:
        self._url, self._collection = url, collection
        self._of_thread = threading.local()
        with asking(url):
            known = [found.id for found in self._client().get_collections()]
        if collection not in known:
            choice = ", ".join(sorted(name for name in known if "sentinel-2" in name.lower())[:8] or sorted(known)[:8])
            raise ConfigError(
                f"collection: expected one of {url}, got {collection}; choose from {choice or 'another catalogue'}"
            )

    def search(self, box: Box, first: str, last: str) -> list[Any]:
        """As :class:`Items`; one request, or more where a page does not hold all.

        Raises:
            SourceError: If the server does not answer.
        """
        with asking(self._url):
            found = self._client().search(
                collections=[self._collection], bbox=list(box), datetime=f"{first}T00:00:00Z/{last}T23:59:59Z", limit=PAGE
            )
            return list(found.items())

    def _client(self) -> Client:
        if not hasattr(self._of_thread, "client"):  # its session is of one thread
            self._of_thread.client = Client.open(self._url, stac_io=StacApiIO(timeout=TIMEOUT_S, max_retries=None))
        client: Client = self._of_thread.client
        return client


class FileItems:
    """Items of a static catalogue: read once, searched here.

    Args:
        path: Of its ``catalog.json`` or ``collection.json``.
        collection: Identifier of a collection; empty takes all items.

    Raises:
        ConfigError: If there are no such items.
    """

    def __init__(self, path: str, collection: str) -> None:
        with asking(path):
            catalogue = Catalog.from_file(path)
            self._items = [i for i in catalogue.get_items(recursive=True) if collection in ("", i.collection_id)]
        if not self._items:
            raise ConfigError(
                f"catalog: expected items of {collection or 'any collection'}, got none in {path}; choose another"
            )
        self._tree = STRtree([shape(item.geometry) for item in self._items])

    def search(self, box: Box, first: str, last: str) -> list[Any]:
        """As :class:`Items`."""
        from shapely.geometry import box as polygon

        touching = [self._items[i] for i in sorted(self._tree.query(polygon(*box), predicate="intersects"))]
        return [item for item in touching if first <= str(time_of(item))[:10] <= last]


@contextmanager
def asking(where: str) -> Iterator[None]:
    """Every error of the client as one of ours."""
    try:
        yield
    except APIError as error:
        status = getattr(error, "status_code", None)  # none: there was no answer
        got = f"HTTP {status}" if status else "no answer"
        raise _no_items(where, got, retriable=status is None or status in TRANSIENT) from None
    except (requests.RequestException, ConnectionError, TimeoutError) as error:
        raise _no_items(where, type(error).__name__, retriable=True) from None
    except (STACError, OSError, ValueError, KeyError, TypeError) as error:
        raise _no_items(where, _first_line(error), retriable=False) from None


def _no_items(where: str, got: str, *, retriable: bool) -> SourceError:
    advice = "run the same command again later" if retriable else "check --catalog"
    return SourceError(f"stac: expected items of {where}, got {got}; {advice}", retriable=retriable)


def _first_line(error: Exception) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
