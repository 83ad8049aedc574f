"""What a refusal of Earth Engine means; nothing secret gets into an error's text."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ee import EEException
from google.auth.exceptions import GoogleAuthError, TransportError

from seco.collect.gate import seconds_of
from seco.errors import SceneError, SourceError

# What stands for an account: addresses, project paths and access tokens.
SECRETS = re.compile(r"\S+@\S+|projects?[/ =:]+['\"]?[\w:.-]+|ya29\.\S+|Bearer \S+", re.IGNORECASE)
QUOTA_WORDS = re.compile("rate limit|quota|too many", re.IGNORECASE)
TRANSIENT = (408, 500, 502, 503, 504)
TRANSIENT_WORDS = re.compile("timed out|internal error|try again", re.IGNORECASE)  # of HTTP 400


class RequestRefusedError(SourceError):
    """Earth Engine calls the request itself wrong (HTTP 400): too large, about something unknown, or too slow just now."""


@contextmanager
def asking(project: str) -> Iterator[None]:
    """Every error of the client as one of ours, without ``project`` or anything else that names an account."""
    try:
        yield
    except EEException as error:
        raise _translate(error, project) from None
    except TransportError as error:
        raise no_answer(type(error).__name__) from None
    except GoogleAuthError:
        raise SourceError(
            "earthengine: expected credentials that are valid, got them refused; run `earthengine authenticate --force`, or "
            "make a new key"
        ) from None
    except (ConnectionError, TimeoutError) as error:
        raise no_answer(str(error)) from None


def no_answer(reason: str) -> SourceError:
    """There was none, or one that makes no sense; asking again may help."""
    return SourceError(
        f"earthengine: expected an answer, got none ({reason}); check the network, then run the same command again",
        retriable=True,
    )


def _translate(error: EEException, project: str) -> SourceError:  # noqa: PLR0911 - a table
    response = getattr(error.__context__, "resp", None)
    status = int(getattr(response, "status", 0))
    text = SECRETS.sub("…", str(error).replace(project, "…")).replace("\n", " ")
    what = f"earthengine: expected an answer, got HTTP {status}: {text}"
    wait_s = seconds_of((response or {}).get("retry-after", ""))
    if status == 429 or (status == 403 and QUOTA_WORDS.search(text)):
        return SourceError(
            f"{what}; the quota is used up: run the same command again later", quota=True, retry_after_s=wait_s
        )
    if status in TRANSIENT:
        return SourceError(f"{what}; run the same command again later", retriable=True, retry_after_s=wait_s)
    if status == 401:
        return SourceError(f"{what}; run `earthengine authenticate --force`, or make a new key")
    if status == 403:
        return SourceError(f"{what}; give a --project that is registered for Earth Engine and that you may use")
    if status == 404:
        return SceneError(f"{what}; check the collection's name")
    if status == 400:
        return RequestRefusedError(f"{what}; report this", retriable=bool(TRANSIENT_WORDS.search(text)))
    return SourceError(f"{what}; report this")
