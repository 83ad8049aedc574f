"""Finds the items of a STAC catalogue: through the search of an API, or among the files of a catalogue on disk."""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pystac
import pystac_client
import requests
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from pystac_client.warnings import PystacClientWarning
from requests.adapters import HTTPAdapter
from shapely.geometry import box, shape
from shapely.strtree import STRtree

from seco.collect.gate import MOST_IN_FLIGHT, seconds_of
from seco.collect.stac.items import Item
from seco.collect.window import REFUSED, unanswered
from seco.errors import ConfigError, SceneError, SourceError, reason_of

Box = tuple[float, float, float, float]  # west, south, east, north, degrees

TIMEOUT_S = (10.0, 60.0)  # to connect, and between two bytes
PAGE = 200  # items


class Catalogue(Protocol):
    """A collection of items."""

    name: str  # of catalogue and collection, without anything secret

    def search(self, extent: Box, period: str, cloud_percent: float) -> list[Item]:
        """Items that touch a box; those with more cloud or outside the period ``first/last`` may be left out."""

    def sample(self) -> Item | None:
        """Any item; None if there is none."""

    def outlines(self) -> list[Any]:
        """Where the items are (polygons, degrees), if they are few."""


class Api:
    """One collection of a STAC API.

    Args:
        url: Of the API.
        collection: Its id; None if there is but one.

    Raises:
        ConfigError: If it is no API, or has no such collection.
        SourceError: If it does not answer.
    """

    def __init__(self, url: str, collection: str | None) -> None:
        # It would log links and headers.
        logging.getLogger("pystac_client").setLevel(logging.ERROR)
        self._url = url
        io = StacApiIO(timeout=TIMEOUT_S, max_retries=None)  # the gate tries again
        anonymous(io.session)
        with asking(url), warnings.catch_warnings(action="ignore", category=PystacClientWarning):
            self._client = pystac_client.Client.open(url, stac_io=io)
            if not self._client.conforms_to("ITEM_SEARCH"):
                raise ConfigError(
                    f"catalog: expected a STAC API with item search, got {_bare(url)} without; give another URL"
                )
            self.collection = collection or _only([each.id for each in self._client.get_collections()])
            if self._client.get_collection(self.collection) is None:
                raise _unknown(self.collection, [each.id for each in self._client.get_collections()])
        self._filters_clouds = self._client.conforms_to("QUERY")
        self.name = f"{_bare(url)}, {self.collection}"

    def search(self, extent: Box, period: str, cloud_percent: float) -> list[Item]:
        """As :class:`Catalogue`, page by page."""
        query = {"eo:cloud_cover": {"lte": cloud_percent}} if self._filters_clouds else None
        return self._ask(bbox=extent, datetime=period, query=query, limit=PAGE)

    def sample(self) -> Item | None:
        """As :class:`Catalogue`."""
        return next(iter(self._ask(limit=1, max_items=1)), None)

    def outlines(self) -> list[Any]:
        """As :class:`Catalogue`: they are many."""
        return []

    def _ask(self, **words: Any) -> list[Item]:  # noqa: ANN401
        with asking(self._url):
            return list(self._client.search(collections=[self.collection], **words).items_as_dicts())


class Files:
    """A catalogue on disk, read at once and searched here.

    Args:
        path: Of ``catalog.json`` or ``collection.json``, or their folder.
        collection: Id; None for all items.

    Raises:
        ConfigError: If there is no catalogue or no such collection.
    """

    def __init__(self, path: Path, collection: str | None) -> None:
        file = next((path / name for name in ("catalog.json", "collection.json") if (path / name).is_file()), path)
        try:
            root: pystac.Catalog = pystac.Catalog.from_file(str(file.resolve()))
            items = [item for item in root.get_items(recursive=True) if item.geometry]
            found = [item for item in items if collection in (None, root.id, item.collection_id)]
            if collection and not found:
                raise _unknown(collection, sorted({item.collection_id for item in items if item.collection_id}))
            self._items = [_absolute(item) for item in found]
        except (pystac.STACError, OSError, json.JSONDecodeError, KeyError) as error:
            raise ConfigError(
                f"catalog: expected a STAC catalogue, got {path} ({reason_of(error)}); check the path"
            ) from None
        self._outlines = [shape(item["geometry"]) for item in self._items]
        self._tree = STRtree(self._outlines)
        self.name = ", ".join(dict.fromkeys((root.id, collection or root.id)))

    def search(self, extent: Box, period: str, cloud_percent: float) -> list[Item]:
        """As :class:`Catalogue`; whoever asked sorts out dates and clouds."""
        return [self._items[i] for i in sorted(self._tree.query(box(*extent), predicate="intersects"))]

    def sample(self) -> Item | None:
        """As :class:`Catalogue`."""
        return next(iter(self._items), None)

    def outlines(self) -> list[Any]:
        """As :class:`Catalogue`."""
        return self._outlines


def anonymous(session: requests.Session) -> requests.Session:
    """A session that looks for no password, neither in .netrc nor anywhere else, and has a connection for each request.

    Answers with Retry-After raise at once: pystac-client would keep the status and drop the header.
    """
    session.auth = lambda request: request
    session.hooks["response"].append(_keep_retry_after)
    session.mount("https://", HTTPAdapter(pool_maxsize=MOST_IN_FLIGHT))
    return session


def ask_for_start(session: requests.Session, link: str) -> None:
    """Ask for the first bytes of a file.

    Raises:
        SourceError: If there is none or no answer, as :func:`asking` puts it; a refusal as for a window.
    """
    with asking(link), session.get(link, headers={"Range": "bytes=0-15"}, timeout=TIMEOUT_S, stream=True) as response:
        if str(response.status_code) in REFUSED:
            raise unanswered(link, str(response.status_code))
        response.raise_for_status()


def _keep_retry_after(response: requests.Response, **_: object) -> None:
    if "Retry-After" in response.headers:
        response.close()
        response.raise_for_status()


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Every error of an answer as one of ours, with the server's name and nothing else of a link."""
    what = f"stac: expected an answer of {urlsplit(url).hostname}"
    try:
        yield
    except (APIError, requests.RequestException) as error:
        response = getattr(error.__context__ or error, "response", None)
        status = getattr(error, "status_code", None) if response is None else response.status_code
        wait_s = 0.0 if response is None else seconds_of(response.headers.get("Retry-After", ""))
        raise _refusal(what, status, wait_s) from None
    except (pystac.STACError, pystac_client.errors.ClientTypeError, ValueError, KeyError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{what} in STAC's words, got {type(error).__name__}; check the URL of the catalogue") from None


def _refusal(what: str, status: int | None, wait_s: float) -> SourceError:
    if status is None:
        return SourceError(
            f"{what}, got none; check the URL and the network, then run the same command again", retriable=True
        )
    codes = requests.codes
    if status in (codes.request_timeout, codes.too_many_requests) or status >= codes.internal_server_error:
        return SourceError(
            f"{what}, got HTTP {status}; run the same command again later",
            retriable=True,
            quota=status == codes.too_many_requests,
            retry_after_s=wait_s,
        )
    if status == codes.not_found:
        return SceneError(f"{what}, got HTTP {status}; check the URL and the collection's name")
    return SourceError(f"{what}, got HTTP {status}; check the URL, or choose a catalogue that needs no account")


def _only(collections: Sequence[str]) -> str:
    if len(collections) != 1:
        raise ConfigError(f"collection: expected one of {_some(collections)}, got none; name it with --collection")
    return collections[0]


def _unknown(collection: str, known: Sequence[str]) -> ConfigError:
    return ConfigError(f"collection: expected one of {_some(known)}, got {collection}; choose one of them")


def _some(names: Sequence[str]) -> str:
    """Those of Sentinel-2 if any are: a large catalogue has hundreds."""
    found = [name for name in names if "sentinel-2" in name.lower()] or list(names)
    return ", ".join(found[:10]) or "the catalogue's collections"


def _bare(url: str) -> str:
    """Host and path: what stands before and after them may be secret."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path.rstrip('/')}"


def _absolute(item: pystac.Item) -> Item:
    item.make_asset_hrefs_absolute()
    return item.to_dict(include_self_link=False, transform_hrefs=False)
