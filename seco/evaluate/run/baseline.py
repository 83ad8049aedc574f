"""The same protocol on the same network without training: what every result is to be compared with."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from seco.evaluate.run.evaluation import Evaluation


def add_untrained(
    result: dict[str, Any], run: Callable[[Evaluation], dict[str, Any]], evaluation: Evaluation
) -> dict[str, Any]:
    """The result with that of ``run`` on an untrained network of the same name, bands and size as ``untrained``."""
    encoder = result["encoder"]
    same = replace(
        evaluation,
        checkpoint=None,
        timm=None,
        torchvision=None,
        random=encoder["name"],
        bands=",".join(encoder["normalization"]["bands"]),
        size=encoder["size"],
    )
    found = run(same)
    return result | {"untrained": {name: found[name] for name in ("metrics", "interval_95", "runs", "encoder")}}
