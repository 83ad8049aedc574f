"""What a run leaves on disk: settings, environment, metrics, TensorBoard events and checkpoints."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from seco.data.atomic import alone_in, clear_folder, is_in_use, write_atomic
from seco.environment import describe_environment
from seco.errors import RunError, reason_of
from seco.pretrain.checkpoint import CHECKPOINTS, LAST, read_checkpoint, save_checkpoint
from seco.pretrain.config import FREE_ON_RESUME, PretrainConfig

CONFIG_FILE, ENVIRONMENT_FILE = "config.json", "environment.json"
METRICS_FILE, PROBE_FILE = "metrics.jsonl", "probe.jsonl"


class RunDirectory:
    """A run on disk.

    Args:
        path: The directory.
        config: The run's settings.
        resume: Go on where the run there stopped.
        overwrite: Delete a run that is there.

    Raises:
        RunError: If a run is there and neither ``resume`` nor ``overwrite`` is said, if there is nothing to resume, or if
            the run there has other settings.
    """

    def __init__(self, path: Path, config: PretrainConfig, *, resume: bool, overwrite: bool) -> None:
        self.path = path
        self.metrics_file, self.probe_file = path / METRICS_FILE, path / PROBE_FILE
        self.checkpoints = path / CHECKPOINTS
        self.state: dict[str, Any] | None = None
        self._resumes = resume
        if resume and self._ended_before_its_first_checkpoint():  # it goes on from the beginning
            _check_same(_saved_settings(path / CONFIG_FILE), config, path)
        elif resume:
            self.state = read_checkpoint(self.checkpoints / LAST)
            if "optimizer" not in self.state:
                raise _imported(path)
            _check_same(self.state["config"], config, path)
        elif path.is_symlink() and not path.exists():
            raise RunError(f"{path}: expected a new run, got a link to nowhere; choose another --out")
        elif is_in_use(path):
            if not (path / CONFIG_FILE).is_file():
                raise RunError(f"{path}: expected a new run, got a path with something else; choose another --out")
            if not overwrite:
                raise RunError(f"{path}: expected a new run, got one that is there; say --resume or --overwrite")
            for data in filter(None, (config.data, config.probe_data)):
                if Path(data).resolve().is_relative_to(path.resolve()):
                    raise RunError(f"{path}: expected a run to overwrite, got one that holds {data}; move that away")
        self._config = config

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Ready for writing, and nobody else's meanwhile: a new one, or the old one cut back to its last checkpoint.

        Raises:
            RunError: If it cannot be written, or another process trains there.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{self.path}: expected a place to write, got: {reason_of(error)}; choose another --out"
            ) from error
        busy = RunError(
            f"{self.path}: expected a run that nobody trains, got one that another process is training; wait for it"
        )
        with alone_in(self.path, otherwise=busy):
            self._make_ready()
            yield

    def _make_ready(self) -> None:
        if self._resumes:
            for file in (self.metrics_file, self.probe_file):
                _cut_lines(file, self.state["step"] if self.state else 0)
        else:
            clear_folder(self.path)
        self.checkpoints.mkdir(exist_ok=True)
        self.metrics_file.touch()
        self._write_json(CONFIG_FILE, self._config.to_dict())
        self._write_json(ENVIRONMENT_FILE, describe_environment())

    def _ended_before_its_first_checkpoint(self) -> bool:
        """Whether none was written; a run whose checkpoints were deleted since has later lines, which nobody may lose."""
        if (self.checkpoints / LAST).exists() or not (self.path / CONFIG_FILE).is_file():
            return False
        saved, lines = _saved_settings(self.path / CONFIG_FILE), read_lines(self.metrics_file)
        every, steps = saved.get("save_every", 1), saved.get("save_steps", 0)
        return not any(line.get("epoch", 0) >= every or 0 < steps < line["step"] for line in lines)

    def log(self, line: dict[str, Any]) -> None:
        """Append one line to the metrics."""
        _append(self.metrics_file, line)

    def log_probe(self, line: dict[str, Any]) -> None:
        """Append the result of a probe."""
        _append(self.probe_file, line)

    def was_probed(self, step: int) -> bool:
        """Whether there is a result of a probe at that step."""
        return any(line["step"] == step for line in read_lines(self.probe_file))

    def save(self, name: str, content: dict[str, Any]) -> None:
        """Write a checkpoint."""
        save_checkpoint(self.checkpoints / name, content)

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        write_atomic(self.path / name, (json.dumps(content, indent=1) + "\n").encode())


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Lines of a log of a run up to one that a crash cut short; none if there is no such log."""
    lines = []
    for text in file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else ():
        try:
            line = json.loads(text)
            line["step"]
        except (json.JSONDecodeError, KeyError, TypeError):
            break
        lines.append(line)
    return lines


def settings_to_resume(path: Path) -> dict[str, Any]:
    """Settings of the run at ``path`` but its profile, which is of the steps that were to come.

    Raises:
        RunError: If there is no run, or that of an imported encoder, or its settings cannot be read.
    """
    if not (path / CONFIG_FILE).is_file() and not (path / CHECKPOINTS).is_dir():
        got = "something else" if path.exists() else "no such folder"
        raise RunError(f"{path}: expected a run to resume, got {got}; correct --out, or leave out --resume")
    saved = _saved_settings(path / CONFIG_FILE) if (path / CONFIG_FILE).is_file() else {}
    if "imported" in saved:
        raise _imported(path)
    known = {field.name for field in fields(PretrainConfig)} - {"profile"}
    return {name: value for name, value in saved.items() if name in known}


def _imported(path: Path) -> RunError:
    return RunError(f"{path}: expected a run that trained here, got an imported encoder; begin a new run")


def _append(file: Path, line: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")


def _cut_lines(file: Path, step: int) -> None:
    """Drop lines of steps after the checkpoint, which are done again, and a line that a crash cut short."""
    if file.is_file():
        kept = [json.dumps(line) + "\n" for line in read_lines(file) if line["step"] <= step]
        write_atomic(file, "".join(kept).encode())


def _saved_settings(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise RunError(f"{file}: expected the settings of a run, got: {error}; begin anew with --overwrite") from error


def _check_same(saved: dict[str, Any], config: PretrainConfig, path: Path) -> None:
    for field in fields(config):
        name, value = field.name, getattr(config, field.name)
        then = saved.get(name, field.default)  # a setting that is younger than the run
        if name not in FREE_ON_RESUME and then != value:
            raise RunError(
                f"{path}: expected {name} {then!r} as in the run to resume, got {value!r}; "
                f"give the same {name}, or another --out"
            )
