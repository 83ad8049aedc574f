"""Links into the Planetary Computer's storage, which wants a token that anybody gets.

Not through the package ``planetary-computer``: it waits for ever, and reads a subscription key from the environment.
"""

import threading
import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests

from seco.collect.stac.catalogue import TIMEOUT_S, asking

TOKEN_URL = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
STORAGE = ".blob.core.windows.net"
SPARE_S = 120.0  # a token is used no later than this before it ends


class Tokens:
    """Signs links; used by many threads at once.

    Args:
        session: Asks for tokens.
    """

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}  # token and its end, monotonic, by container

    def sign(self, link: str) -> str:
        """A link with a token, if it points into the storage.

        Raises:
            SourceError: If there is no token to be had.
        """
        container = _container_of(link)
        if not container or urlsplit(link).query:
            return link
        with self._lock:
            token, end = self._tokens.get(container, ("", 0.0))
            if not token or time.monotonic() > end - SPARE_S:
                token, end = self._tokens[container] = self._ask(container)
        return f"{link}?{token}"

    def forget(self, signed: str) -> None:
        """Ask for another token than that of a link, which was refused."""
        container = _container_of(signed)
        with self._lock:
            if container in self._tokens and self._tokens[container][0] == urlsplit(signed).query:
                del self._tokens[container]

    def _ask(self, container: str) -> tuple[str, float]:
        with asking(TOKEN_URL):
            response = self._session.get(f"{TOKEN_URL}/{container}", timeout=TIMEOUT_S)
            response.raise_for_status()
            answer = response.json()
            end = datetime.fromisoformat(answer["msft:expiry"]).timestamp()
            now = response.headers.get("Date")  # by the server's clock: ours may be off, or jump
            left = end - (parsedate_to_datetime(now).timestamp() if now else time.time())
            return answer["token"], time.monotonic() + left


def _container_of(link: str) -> str:
    """Account and container of a link into the storage; empty for others."""
    host, folders = urlsplit(link).hostname or "", urlsplit(link).path.split("/")
    return f"{host.removesuffix(STORAGE)}/{folders[1]}" if host.endswith(STORAGE) and len(folders) > 1 else ""
