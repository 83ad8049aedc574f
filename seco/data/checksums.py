"""Compares the patches of a store with the checksums in its index."""

from concurrent.futures import ThreadPoolExecutor

from seco.data.store import Store
from seco.device import cores
from seco.errors import DataError
from seco.track import Track, untracked

AT_ONCE = 256  # so many may still be read after Ctrl-C


def find_damaged(store: Store, *, track: Track = untracked) -> list[str]:
    """Read every patch once: what is wrong with those that are missing or not what the index says, in the index's order.

    Args:
        store: Store with checksums, loose or packed.
        track: How progress is shown.

    Raises:
        StoreError: If the store has no checksums.
    """
    store.require_checksums()

    def wrong_with(row: int) -> str | None:
        try:
            store.read_bytes(row)
        except DataError as error:
            return str(error)
        return None

    rows = range(len(store.times))
    portions = [rows[first : first + AT_ONCE] for first in rows[::AT_ONCE]]
    damaged: list[str] = []
    with ThreadPoolExecutor(cores()) as pool:
        for portion in track(portions, "patches compared", size=len):
            damaged += filter(None, pool.map(wrong_with, portion))
    return damaged
