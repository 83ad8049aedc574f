"""Batches that reach every path of the CUDA views; tests/kernels runs them in the emulation and on a GPU."""

from dataclasses import dataclass, replace

import numpy as np

from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES

OPERATIONS = ("brightness", "contrast", "saturation", "hue", "grey", "blur_sigma", "flip", "band_gain", "band_offset")
NEUTRAL = dict.fromkeys(("brightness", "contrast", "saturation"), 1)
EDGE_CROPS = [(0, 0, 1, 1), (12, 14, 1, 1), (0, 0, 13, 15), (0, 10, 3, 5), (9, 0, 4, 15), (5, 3, 1, 9), (12, 0, 1, 15)]


@dataclass(frozen=True)
class Case:
    """One call of ``augment_views``.

    Attributes:
        shape: Of the pixels, ``[N, T, C, H, W]``.
        size: Of a view.
        pixel_type: Of the pixels.
        only: Operations that are not switched off; None: all.
        method: Whose views.
        box: Crop of every view; None: as drawn.
        sigma: Of every view's blur; None: as drawn.
        rgb: As in ``augment_views``.
    """

    shape: tuple[int, int, int, int, int]
    size: int
    pixel_type: str = "uint8"
    only: tuple[str, ...] | None = None
    method: str = "seco"
    box: tuple[int, int, int, int] | None = None
    sigma: float | None = None
    rgb: bool | None = None

    def __str__(self) -> str:
        words = ["x".join(map(str, self.shape)), str(self.size), self.pixel_type]
        words += [f"only-{'-'.join(self.only)}"] if self.only is not None else []
        words += [f"box-{'-'.join(map(str, self.box))}"] if self.box else []
        words += [f"sigma-{self.sigma}"] if self.sigma is not None else []
        words += ["not-rgb"] if self.rgb is False else []
        return "_".join(words)

    def make(self):
        """Pixels, parameters, and the other arguments."""
        locations, dates, bands, height, width = self.shape
        top = np.iinfo(self.pixel_type).max
        generator = np.random.default_rng(1)
        pixels = generator.integers(0, top, self.shape, dtype=self.pixel_type, endpoint=True)
        recipe = replace(
            RECIPES[self.method], band_gain=0.3, band_offset=0.1, band_drop_probability=0.1, jitter_probability=1.0
        )
        recipe = replace(recipe, grey_probability=0.3, hue=0.5 if bands == 3 and self.rgb is not False else 0.0)
        ids = np.arange(locations)
        params = sample_view_params(recipe, ids, epoch=0, seed=3, height=height, width=width, dates=dates)
        for name in OPERATIONS:
            if self.only is not None and name not in self.only:
                params[name] = NEUTRAL.get(name, 0)
        if self.box is not None:
            for name, value in zip(("top", "left", "height", "width"), self.box, strict=True):
                params[f"crop_{name}"] = value
            params["flip"][::2] = True
        if self.sigma is not None:
            params["blur_sigma"] = self.sigma
        settings = {
            "size": self.size,
            "scale": generator.uniform(0.8, 1.5, bands) / top,
            "offset": generator.uniform(-0.2, 0.1, bands),
            "mean": generator.uniform(0, 1, bands),
            "std": generator.uniform(0.2, 0.7, bands),
            "rgb": self.rgb,
        }
        return pixels, params, settings


CASES = [
    *(Case((6, 2, 3, 40, 53), 32, only=(name,), method="moco_tp") for name in OPERATIONS),
    Case((6, 2, 3, 40, 53), 32, only=(), method="moco_tp"),
    *(Case((3, 3, c, 31, 26), 17, kind) for c in (1, 2, 3, 4, 12, 13, 16) for kind in ("uint8", "uint16")),
    Case((3, 3, 3, 31, 26), 17, rgb=False),
    *(Case((2, 1, 2, 13, 15), size, "uint16", only=(), method="moco", box=box) for box in EDGE_CROPS for size in (1, 9, 64)),
    *(Case((2, 1, 3, 13, 15), 9, only=("blur_sigma",), method="moco", box=box, sigma=2.0) for box in EDGE_CROPS),
    *(Case((2, 1, 3, side, 30), 12, method="moco", sigma=sigma) for side in (1, 2, 5, 11) for sigma in (0.1, 2.0, 9.0)),
    Case((2, 3, 3, 264, 264), 224),  # the workload itself
    Case((1, 3, 12, 264, 264), 224, "uint16"),  # and of all bands
    Case((2, 3, 12, 90, 90), 32, "uint16"),
    Case((2, 3, 3, 100, 90), 3),  # each value out of up to 60 rows
    Case((1, 3, 3, 20, 700), 240),  # wider than a block has threads
    # Rounding gives some rows a third sample although the view is larger than the crop.
    Case((2, 1, 3, 29, 29), 29, only=(), method="moco", box=(0, 0, 15, 15)),
    Case((2, 1, 3, 42, 42), 50, only=("flip", "blur_sigma"), method="moco", sigma=1.0),
    Case((1, 3, 3, 30, 30), 130),  # more than one strip, none of them whole
]
