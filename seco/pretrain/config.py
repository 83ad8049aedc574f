"""Settings of a pretraining run: defaults of the 2021 code, a file, flags; flags win."""

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from seco.errors import ConfigError, reason_of
from seco.ops.recipe import RECIPES, ViewRecipe
from seco.pretrain import recipe2021


class Precision(NamedTuple):
    """What a precision is called by Lightning Fabric, and the type of views that goes with it."""

    fabric: str
    views: str


PRECISIONS = {"fp32": Precision("32-true", "float32"), "bf16": Precision("bf16-mixed", "bfloat16")}
_CHOICES = {
    "recipe": ("default", recipe2021.NAME),
    "method": tuple(RECIPES),
    "schedule": ("step", "cosine"),
    "precision": tuple(PRECISIONS),
    "loader": ("native", "dali"),
    "device": ("auto", "cpu", "cuda"),
    "probe": ("none", "retrieval", "knn"),
}


@dataclass(frozen=True, slots=True)
class PretrainConfig:
    """One run, resolved.

    Attributes:
        data: Folder of the store.
        recipe: ``default``, or ``seco2021`` for the numerics of the 2021 code.
        method: ``seco``, ``moco`` or ``moco_tp``.
        backbone: timm model name.
        bands: ``rgb``, ``all`` or a comma-separated list.
        epochs: Passes over the data that the schedule is laid out for.
        steps: Optimiser steps after which to stop, in all; 0: none but ``epochs``.
        batch_size: Locations a step and process.
        size: Height and width of a view, pixels.
        seed: Of weights, queues, order, seasons and views.
        lr: Learning rate at the start, for this batch size.
        scale_lr: Take ``lr`` as that of 256 locations a step and scale it with those of all processes.
        momentum: Of SGD.
        weight_decay: Of SGD.
        schedule: ``step`` (× 0.1 at 60 % and 80 % of the epochs, with ``seco2021`` at epochs 120 and 160) or ``cosine``.
        queue: Keys a sub-space.
        dim: Size of an embedding.
        key_momentum: m of the key encoder's moving average.
        temperature: Of the logits.
        batch_negatives: The positives of the batch's other locations are negatives too, in every sub-space.
        crop_scale: Least share of a patch that a crop shows.
        band_gain: Each band of an augmented view is multiplied by its own factor in [1 - g, 1 + g].
        band_offset: To each band of an augmented view its own offset in [-o, o] is added, on the scale of [0, 1].
        band_drop: Probability of a band of an augmented view being blacked out.
        precision: ``fp32`` or ``bf16`` (autocast; logits and loss stay fp32).
        loader: ``native`` or ``dali``: who reads and makes the views, which are the same.
        device: ``auto``, ``cpu`` or ``cuda``.
        compile: Run the encoders through torch.compile.
        threads: Threads of the loader; 0: one a core.
        log_every: Optimiser steps between lines of the metrics.
        save_every: Epochs between checkpoints.
        save_steps: Optimiser steps between checkpoints besides; 0: none inside an epoch.
        max_bad_fraction: Share of the store's patches that may be unreadable before the run stops.
        verify: Compare every patch with its checksum as it is read.
        probe: ``retrieval`` or ``knn`` to measure the momentum encoder while it trains; ``none``.
        probe_data: Store or folder of classes to probe on; empty: ``data``.
        probe_every: Epochs between probes.
        profile: Record some steps, and say which part of a step limits training.

    Source:
        Mañas et al., ICCV 2021, and its released code.
    """

    data: str
    recipe: str = "default"
    method: str = "seco"
    backbone: str = "resnet18"
    bands: str = "rgb"
    epochs: int = 200
    steps: int = 0
    batch_size: int = 256
    size: int = 224
    seed: int = 0
    lr: float = 0.03
    scale_lr: bool = False
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "step"
    queue: int = 16384
    dim: int = 128
    key_momentum: float = 0.999
    temperature: float = 0.07
    batch_negatives: bool = False
    crop_scale: float = 0.2
    band_gain: float = 0.0
    band_offset: float = 0.0
    band_drop: float = 0.0
    precision: str = "fp32"
    loader: str = "native"
    device: str = "auto"
    compile: bool = False
    threads: int = 0
    log_every: int = 10
    save_every: int = 1
    save_steps: int = 0
    max_bad_fraction: float = 0.01
    verify: bool = False
    probe: str = "none"
    probe_data: str = ""
    probe_every: int = 1
    profile: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name), field.type)
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name}: expected {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.follows_2021 and self.loader != "native":
            raise ConfigError(f"loader: expected native, which makes the 8-bit input of seco2021, got {self.loader!r}")
        self._check_ranges()

    def _check_ranges(self) -> None:
        for name in ("epochs", "size", "queue", "dim", "log_every", "save_every", "probe_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**64:
            raise ConfigError(f"seed: expected 0 … 2^64 - 1, got {self.seed}")
        for name in ("steps", "threads", "weight_decay", "save_steps"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if self.batch_size < 2:
            raise ConfigError(f"batch_size: expected at least 2 for batch norm, got {self.batch_size}")
        for name in ("lr", "temperature"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}: expected a positive number, got {getattr(self, name)}")
        for name in ("key_momentum", "band_gain", "band_offset", "band_drop", "max_bad_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}: expected 0 … 1, got {getattr(self, name)}")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum: expected 0 or more, less than 1, got {self.momentum}")
        if not 0 < self.crop_scale <= 1:
            raise ConfigError(f"crop_scale: expected more than 0, at most 1, got {self.crop_scale}")

    @property
    def probe_folder(self) -> Path:
        """Store or folder of classes to probe on."""
        return Path(self.probe_data or self.data)

    def base_lr(self, ranks: int) -> float:
        """Learning rate at the start for the batch of all ranks."""
        return self.lr * self.batch_size * ranks / 256 if self.scale_lr else self.lr

    @property
    def follows_2021(self) -> bool:
        """Whether the numerics are those of the 2021 code."""
        return self.recipe == recipe2021.NAME

    @property
    def milestones(self) -> tuple[int, ...] | None:
        """Epochs at which schedule ``step`` falls; None: at 60 % and 80 % of all."""
        return recipe2021.MILESTONES if self.follows_2021 else None

    @property
    def views(self) -> ViewRecipe:
        """The method's views with this run's settings, for red, green and blue."""
        return replace(
            RECIPES[self.method],
            distinct_dates=not self.follows_2021,
            crop_scale=(self.crop_scale, 1.0),
            band_gain=self.band_gain,
            band_offset=self.band_offset,
            band_drop_probability=self.band_drop,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name; paths of data absolute, for whoever reads them in another folder."""
        paths = {"data": self.data, "probe_data": self.probe_data}
        return asdict(self) | {name: path and str(Path(path).absolute()) for name, path in paths.items()}


# What may differ between a run and its resumption: where and how fast, not what is computed.
FREE_ON_RESUME = (
    "data",
    "steps",
    "loader",
    "device",
    "compile",
    "threads",
    "save_every",
    "save_steps",
    "max_bad_fraction",
    "verify",
    "probe",
    "probe_data",
    "probe_every",
    "profile",
)


def resolve_config(
    flags: Mapping[str, Any], file: Path | None = None, *, resumed: Mapping[str, Any] | None = None
) -> PretrainConfig:
    """Defaults, then settings of a run that goes on, then the file's settings, then the flags that were given.

    Args:
        flags: Settings by name.
        file: Settings by name in TOML, or in JSON as in the ``config.json`` of a run.
        resumed: Settings of the run to resume.

    Raises:
        ConfigError: If the file cannot be read, or a setting is unknown, of the wrong type or out of range.
    """
    settings = dict(resumed or {}) | (_read_settings(file) if file else {}) | dict(flags)
    if isinstance(settings.get("bands"), list):
        settings["bands"] = ",".join(map(str, settings["bands"]))
    known = [field.name for field in fields(PretrainConfig)]
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"settings: {', '.join(known)}"
            raise ConfigError(f"{file or 'flags'}: expected known settings, got {name!r}; {hint}")
    if "data" not in settings:
        raise ConfigError("data: expected a store, got none; give --data STORE or data in the file")
    return PretrainConfig(**settings)


def _read_settings(file: Path) -> dict[str, Any]:
    kind = "JSON" if file.suffix == ".json" else "TOML"
    try:
        text = file.read_text(encoding="utf-8-sig")  # an editor may have put a byte-order mark first
        return dict(json.loads(text) if kind == "JSON" else tomllib.loads(text))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{file}: expected a {kind} file of settings, got: {reason_of(error)}; check --config") from error


def _check_type(name: str, value: object, expected: object) -> None:
    """TOML and callers may give 1 where 1.0 is meant, but not "1" or true."""
    accepted = (int, float) if expected is float else (expected,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and expected is not bool):  # type: ignore[arg-type]
        wanted = getattr(expected, "__name__", expected)
        raise ConfigError(f"{name}: expected {wanted}, got {value!r}")
