"""Links into the Planetary Computer's storage, which wants a token that anybody gets.

Not through the package ``planetary-computer``: it waits for ever, and reads a subscription key from the environment.
"""

import threading
import time
from datetime import datetime
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
        self._tokens: dict[str, tuple[str, float]] = {}  # token and its end, s since 1970, by container

    def sign(self, link: str) -> str:
        """A link with a token, if it points into the storage.

        Raises:
            SourceError: If there is no token to be had.
        """
        parts = urlsplit(link)
        if not (parts.hostname or "").endswith(STORAGE) or parts.query:
            return link
        container = f"{(parts.hostname or '').removesuffix(STORAGE)}/{parts.path.split('/')[1]}"
        with self._lock:
            token, end = self._tokens.get(container, ("", 0.0))
            if time.time() > end - SPARE_S:
                token, end = self._tokens[container] = self._ask(container)
        return f"{link}?{token}"

    def _ask(self, container: str) -> tuple[str, float]:
        with asking(TOKEN_URL):
            response = self._session.get(f"{TOKEN_URL}/{container}", timeout=TIMEOUT_S)
            response.raise_for_status()
            answer = response.json()
            return answer["token"], datetime.fromisoformat(answer["msft:expiry"]).timestamp()
