"""What was evaluated, in a few words: results with the same words can be compared."""

from collections.abc import Mapping
from typing import Any


def protocol_name(result: Mapping[str, Any]) -> str:
    """Protocol of a result of ``seco evaluate``, and what of it is not usual: ``linear, seco2021, on validation``."""
    words = [str(result["protocol"])]
    if (recipe := _of(result, "recipe", "name", "default")) != "default":
        words.append(str(recipe))
    if (judged := _of(result, "split", "tested_on", "test")) not in {"test", "all other locations"}:
        words.append(f"on {judged}")
    gap = result.get("min_gap_days")
    if gap and isinstance(gap, int | float):
        words.append(f"dates at least {gap:g} days apart")
    chosen = result.get("chosen")
    for name, value in chosen.items() if isinstance(chosen, dict) else ():
        words.append(f"{name.replace('_', ' ')} {value}")
    if (share := _of(result, "settings", "train_fraction", 1)) != 1:
        words.append(f"{share} of the training images")
    return ", ".join(words)


def _of(result: Mapping[str, Any], part: str, name: str, usual: object) -> object:
    """What a part of a result says, if it has it."""
    found = result.get(part)
    return found.get(name, usual) if isinstance(found, dict) else usual
