"""A run directory as it is: whole, still training, or damaged."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from seco.data.store import Store, open_store
from seco.errors import RunError, StoreError
from seco.pretrain.checkpoint import CHECKPOINTS, find_checkpoint
from seco.pretrain.config import PretrainConfig
from seco.pretrain.run_directory import CONFIG_FILE, ENVIRONMENT_FILE, METRICS_FILE, PROBE_FILE, read_lines
from seco.profiling.training import FOLDER, SUMMARY_FILE


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """What a run left on disk.

    Attributes:
        path: Its directory.
        name: On the page: that of the directory, with as many parents as tell it from the other runs.
        settings: Of ``config.json``.
        environment: Of ``environment.json``.
        metrics: Lines of ``metrics.jsonl`` up to the first that cannot be read.
        probes: Lines of ``probe.jsonl``, likewise.
        profile: What ``--profile`` found, or nothing.
        missing: What is not there or cannot be read, in sentences.
        data: A store to take instead of the one that it trained on.
    """

    path: Path
    name: str
    settings: dict[str, Any]
    environment: dict[str, Any]
    metrics: list[dict[str, Any]]
    probes: list[dict[str, Any]]
    profile: str
    missing: tuple[str, ...]
    data: Path | None = None

    @property
    def imported(self) -> bool:
        """Whether it is somebody else's encoder, which did not train here."""
        return "imported" in self.settings

    @property
    def names_data(self) -> bool:
        """Whether there should be a store to show: an imported encoder has none of its own."""
        return self.data is not None or not self.imported

    @property
    def config(self) -> PretrainConfig:
        """The settings, those that this version knows.

        Raises:
            ConfigError: If they are no settings of a run.
        """
        known = {field.name for field in fields(PretrainConfig)}
        return PretrainConfig(**{"data": ""} | {name: value for name, value in self.settings.items() if name in known})

    @cached_property
    def store(self) -> Store:
        """The store that it trained on.

        Raises:
            StoreError: If it is not there.
        """
        named = self.data or self.settings.get("data")
        if not isinstance(named, str | Path) or not str(named):
            raise StoreError(f"{self.path / CONFIG_FILE}: expected the name of a store, got none; name it with --data")
        return open_store(named)

    @property
    def checkpoint(self) -> Path:
        """Its last checkpoint, which may not be there."""
        return find_checkpoint(self.path)

    @property
    def progress(self) -> str:
        """How far it is."""
        if self.imported:
            return "imported, not trained here"
        if not self.metrics:
            return "no step yet"
        last, epoch = self.metrics[-1], self.metrics[-1].get("epoch")
        done = {"step": last["step"], "epoch": epoch + 1 if isinstance(epoch, int) else None}
        planned = {"step": self.settings.get("steps"), "epoch": self.settings.get("epochs")}
        parts = [f"{name} {_count(done[name])}" + (f" of {_count(planned[name])}" if planned[name] else "") for name in done]
        return ", ".join(parts)


def read_runs(paths: Sequence[Path], *, data: Path | None = None) -> list[RecordedRun]:
    """Read runs for a page.

    Args:
        paths: Run directories.
        data: Store to take instead of those that they trained on.

    Raises:
        RunError: If one is no run at all.
        StoreError: If ``data`` is no store.
    """
    if data is not None:
        open_store(data)
    return [_read(path, name, data) for path, name in zip(paths, _names(paths), strict=True)]


def _read(path: Path, name: str, data: Path | None) -> RecordedRun:
    if not path.is_dir():
        raise RunError(f"{path}: expected a run, got no such folder; check the path")
    if not any((path / part).exists() for part in (CONFIG_FILE, METRICS_FILE, CHECKPOINTS)):
        raise RunError(f"{path}: expected a run, got a folder without {CONFIG_FILE}; give the --out of `seco pretrain`")
    missing: list[str] = []
    settings = _read_json(path / CONFIG_FILE, missing)
    if "imported" in settings:
        return RecordedRun(path, name, settings, {}, [], [], "", tuple(missing), data)
    environment = _read_json(path / ENVIRONMENT_FILE, missing)
    metrics = _read_log(path / METRICS_FILE, missing)
    probes = _read_log(path / PROBE_FILE, missing) if (path / PROBE_FILE).exists() else []
    profile = path / FOLDER / SUMMARY_FILE
    text = profile.read_text(encoding="utf-8", errors="replace") if profile.is_file() else ""
    return RecordedRun(path, name, settings, environment, metrics, probes, text, tuple(missing), data)


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _names(paths: Sequence[Path]) -> list[str]:
    """The last parts of each path, as many as tell them apart."""
    whole = [path.absolute().parts for path in paths]
    depth = 1
    while depth < max(map(len, whole), default=1) and len({parts[-depth:] for parts in whole}) < len(set(whole)):
        depth += 1
    return ["/".join(parts[-depth:]) for parts in whole]


def _read_json(file: Path, missing: list[str]) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        missing.append(f"{file.name} is not there.")
        return {}
    except (OSError, ValueError) as error:
        missing.append(f"{file.name} cannot be read: {error}")
        return {}
    if not isinstance(content, dict):
        missing.append(f"{file.name} holds something else than settings.")
        return {}
    return content


def _read_log(file: Path, missing: list[str]) -> list[dict[str, Any]]:
    # Counted first: a line that is written meanwhile is not taken for a damaged one.
    total = len(file.read_bytes().splitlines()) if file.is_file() else 0
    lines = read_lines(file)
    if not total:
        missing.append(f"{file.name} has no lines yet.")
    elif len(lines) < total:
        missing.append(f"Line {len(lines) + 1} of {total} of {file.name} cannot be read; what follows is left out.")
    return lines
