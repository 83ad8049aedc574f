"""Every error that a user of seco can cause. The command line prints them as one line."""


class SecoError(Exception):
    """Base of all errors that seco raises on purpose."""


class ArrayError(SecoError, ValueError):
    """An array or argument is not what the operation takes: ``<argument>: expected <what>, got <what>``."""


class ConfigError(SecoError, ValueError):
    """A setting is unknown, malformed or contradicts another."""


class DataError(SecoError, ValueError):
    """Files of the user are missing, unreadable or not what they are said to be."""


class DeviceError(SecoError, RuntimeError):
    """The device asked for is not there, or a call on it failed."""


class UnreadableError(DataError):
    """An image cannot be read, others may be; the text names it."""


class GeoTiffError(UnreadableError):
    """A GeoTIFF is truncated, corrupt or of a kind that nothing here can read; the text names the file."""


class RunError(SecoError, RuntimeError):
    """A run directory is in the way, incomplete or of another run."""


class SourceError(SecoError, RuntimeError):
    """A source of scenes does not answer, or refuses.

    Attributes:
        retriable: Asking again may help.
        quota: It wants fewer requests at a time.
        retry_after_s: Seconds that it wants to be left alone.
    """

    def __init__(self, message: str, *, retriable: bool = False, quota: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retriable = retriable or quota
        self.quota = quota
        self.retry_after_s = retry_after_s


class SceneError(SourceError):
    """A scene that the catalogue lists cannot be read, now or later; another place may do."""


class StoreError(DataError):
    """A patch store is missing, damaged, of another version or lacks what was asked of it."""


def reason_of(error: BaseException) -> str:
    """What an error says, in one line, without the number and path that the system's errors add to it."""
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
