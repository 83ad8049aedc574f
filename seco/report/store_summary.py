"""What a patch store holds, in numbers."""

from dataclasses import asdict
from typing import Any

import numpy as np

from seco.data.store import Store

SECONDS_PER_DAY = 86_400
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def summarise_store(store: Store) -> dict[str, Any]:
    """Describe a store by what its index and ``dataset.json`` say; no pixels are read.

    Returns:
        Plain numbers, strings, lists and dictionaries, ready for JSON; what is unknown is None.
    """
    description = store.description
    counts = store.locations["num_dates"]
    times = store.times
    return {
        "path": str(store.path),
        "sensor": description.sensor,
        "product_level": description.product_level,
        "source": description.source,
        "licence": description.licence,
        "seed": description.seed,
        "dtype": description.dtype,
        "quantification": description.quantification,
        "offset": description.offset,
        "patch_size": description.patch_size,
        "resolution_m": description.resolution_m,
        "locations": len(store),
        "patches": len(times),
        "dates_per_location": _spread(counts),
        "first_date": str(times.min()),
        "last_date": str(times.max()),
        "patches_per_month": np.bincount(months_of(times), minlength=12).tolist(),
        "gap_days": _spread(gaps_days(store)),
        "cloud_fraction": _clouds(store),
        "packed": store.packed,
        "bytes": _bytes(store),
        "bands": [asdict(band) | asdict(store.statistics[band.name]) for band in store.bands],
        "classes": _classes(store),
        "fingerprint": store.fingerprint,
    }


def months_of(times: np.ndarray) -> np.ndarray:
    """0 for January to 11 for December."""
    return times.astype("datetime64[M]").astype(np.int64) % 12


def gaps_days(store: Store) -> np.ndarray:
    """Days between consecutive dates of each location, all locations together: int64 ``[dates - locations]``."""
    gaps = np.diff(store.times).astype(np.int64) / SECONDS_PER_DAY
    starts = store.locations["first_row"][1:]
    return np.delete(gaps, starts - 1)


def cloud_fractions(store: Store) -> np.ndarray:
    """Shares of the patches under cloud, where they are known: float32 ``[patches]`` at most."""
    fractions = store.read_index(["cloud_fraction"])["cloud_fraction"].to_numpy()
    return fractions[np.isfinite(fractions)]


def _spread(values: np.ndarray) -> dict[str, float] | None:
    if not len(values):
        return None
    names = ("min", "q25", "median", "q75", "max")
    quantiles = np.quantile(values, (0, 0.25, 0.5, 0.75, 1))
    return dict(zip(names, quantiles.tolist(), strict=True))


def _clouds(store: Store) -> dict[str, float] | None:
    known = cloud_fractions(store)
    if not len(known):
        return None
    return {"mean": float(known.mean(dtype=np.float64)), "max": float(known.max()), "known": len(known)}


def _classes(store: Store) -> dict[str, int] | None:
    if not store.has_labels:
        return None
    names, numbers = store.labels()
    counts = np.bincount(numbers[numbers >= 0], minlength=len(names)).tolist()
    return dict(zip(names, counts, strict=True))


def _bytes(store: Store) -> int | None:
    """Size of the patches on disk, unless the index does not say."""
    sizes = store.read_index(["bytes"])["bytes"]
    return None if sizes.null_count else int(sizes.to_numpy().sum())
