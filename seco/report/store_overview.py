"""What a patch store holds, in words for a table."""

from typing import Any

from seco.data.reflectance import Reflectance
from seco.report.store_summary import MONTHS


def describe_store(summary: dict[str, Any]) -> dict[str, str]:
    """Name and value of each line, from :func:`seco.report.store_summary.summarise_store`."""
    size, metres = summary["patch_size"], summary["resolution_m"]
    return {
        "sensor": f"{summary['sensor']} {summary['product_level']}",
        "source": summary["source"],
        "licence": summary["licence"],
        "locations": f"{summary['locations']:,}",
        "patches": f"{summary['patches']:,} of {size} x {size} px at {metres:g} m, {summary['dtype']}",
        "reflectance": str(Reflectance(summary["quantification"], summary["offset"])),
        "dates per location": _spread(summary["dates_per_location"], ".3g"),
        "first, last date": f"{summary['first_date'][:10]}, {summary['last_date'][:10]}",
        "days between dates": _spread(summary["gap_days"], ".0f"),
        "patches per month": _months(summary["patches_per_month"]),
        "cloud": _clouds(summary["cloud_fraction"], summary["patches"]),
        "size on disk": _size(summary["bytes"], "tar shards" if summary["packed"] else "loose files"),
        "classes": _classes(summary["classes"]),
    }


def _size(size: int | None, what: str) -> str:
    return "not known" if size is None else f"{size / 1e6:,.1f} MB in {what}"


def _spread(spread: dict[str, float] | None, form: str) -> str:
    if spread is None:
        return "one date only"
    return ", ".join(f"{name} {spread[name]:{form}}" for name in ("min", "median", "max"))


def _months(counts: list[int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in zip(MONTHS, counts, strict=True) if count)


def _clouds(clouds: dict[str, float] | None, patches: int) -> str:
    if clouds is None:
        return "not known"
    text = f"mean {clouds['mean']:.1%}, max {clouds['max']:.1%}"
    return text if clouds["known"] == patches else f"{text} (known for {clouds['known']:,} patches)"


def _classes(classes: dict[str, int] | None) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in classes.items()) if classes else "no labels"
