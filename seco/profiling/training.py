"""Where a training step's time goes: some steps by the clock, some more as a trace, and one page that says what limits."""

import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from seco.data.atomic import write_atomic
from seco.device import cores
from seco.errors import ConfigError
from seco.profiling.clock import Mark, seconds_of_parts
from seco.profiling.loader import advise, seconds_of_stages, totals_of

FOLDER, TRACE_FILE, SUMMARY_FILE = "profile", "trace.json.gz", "summary.md"
WAIT, LAST = "wait for data", "metrics and checkpoints"
LEAST_STEPS = 8
_SKIPPED, _TIMED, _TRACED = 10, 20, 5  # steps; a profiler that records would slow those that are timed
# A loader that keeps up is never waited for: it works beside the model. Less than this is the scheduler's jitter.
_WAITS = 0.05
MEANING = {
    WAIT: "the loader is not ready",
    "EMA and queue": "the key encoder follows, keys enter the queues",
    "forward q": "queries",
    "forward k": "keys",
    "loss": "logits against queues and batch",
    "backward": "gradients",
    "optimiser": "SGD",
    LAST: "lines of metrics, TensorBoard, checkpoints, snapshots of probes",
}


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """What was measured.

    Attributes:
        stages_s: Mean seconds of a step in each stage, by name.
        longest_s: Most seconds of a step in each stage.
        loader_s: Seconds that the loader's threads spent in each of its stages, for one step.
        threads: Of the loader.
        cpu_use: Share of all cores' time that the process used.
        cores: That it may use.
        steps: That were measured.
        locations: Of a step, in all processes.
    """

    stages_s: dict[str, float]
    longest_s: dict[str, float]
    loader_s: dict[str, float]
    threads: int
    cpu_use: float
    cores: int
    steps: int
    locations: int

    @property
    def step_s(self) -> float:
        """Seconds of a step."""
        return sum(self.stages_s.values())

    @property
    def limiting(self) -> str:
        """The stage that a faster run has to shorten first.

        Waiting for data is the loader's work that did not fit beside the model's: if there is any to speak of, the loader is
        the slower of the two, however long the model's stages are.
        """
        if self.stages_s.get(WAIT, 0.0) > _WAITS * self.step_s:
            return WAIT
        return max(self.stages_s, key=lambda name: self.stages_s[name])

    def advice(self, device: str, precision: str) -> str:
        """What to change about the limiting stage."""
        stage = self.limiting
        if stage == WAIT:
            busy = sum(self.loader_s.values()) / max(self.step_s * min(self.threads, self.cores), 1e-9)
            slowest = max(self.loader_s, key=lambda name: self.loader_s[name]) if busy > 0.2 else "idle"
            change = advise(slowest, more_threads=self.threads < self.cores)
            return f"The loader is slower than the model. What limits it is {change}."
        if stage == LAST:
            return "Raise --log-every, --save-every and --save-steps, or write --out to a faster disk."
        if stage in {"EMA and queue", "optimiser"}:
            return "This time is the same for any batch: a larger --batch-size has fewer steps."
        if stage == "loss":
            return "The logits compare every query with the queue: take a smaller --queue."
        ways = ["--precision bf16"] if device == "cuda" and precision == "fp32" else []
        if device == "cpu" and precision == "fp32":
            ways.append("--precision bf16 where `seco doctor` shows avx512_bf16 or amx_bf16")
        ways += ["--compile", "a smaller --backbone or --size"] + (["--device cuda"] if device == "cpu" else [])
        return f"The encoders limit, as they should: {', '.join(ways)}."


class TrainingProfile:
    """Told of the parts of each step, times some steps, then records some.

    Args:
        folder: Where trace and summary go.
        steps: Still to come.
        device: ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.
        loader: ``native`` or ``dali``.
        threads: Of the loader.
        locations: Of a step, in all processes.
        caption: What is trained, in words.

    Raises:
        ConfigError: If there are too few steps.
    """

    def __init__(
        self,
        folder: Path,
        *,
        steps: int,
        device: str,
        precision: str,
        loader: str,
        threads: int,
        locations: int,
        caption: str,
    ) -> None:
        check_steps(steps)
        self._folder, self._device, self._precision = folder, device, precision
        self._threads, self._locations, self._caption = threads, locations, caption
        self._skipped = min(_SKIPPED, steps // 4)
        self._timed = min(_TIMED, (steps - self._skipped) // 2)
        self._traced = min(_TRACED, steps - self._skipped - self._timed - 1)  # the first with the profiler on warms it up
        self._totals = totals_of(loader)
        for name in (TRACE_FILE, SUMMARY_FILE):
            (folder / name).unlink(missing_ok=True)
        self._done = 0
        self._steps: list[list[tuple[str, Mark]]] = []
        self._before = self._after = (0.0, 0.0, [0])
        self._order: list[str] = []
        self._range: Any = None
        self._profiler: Any = None
        self._begin()

    @property
    def finished(self) -> bool:
        """Whether trace and summary are written."""
        return self._done >= self._skipped + self._timed + 1 + self._traced

    def lap(self, part: str) -> None:
        """A part of a step has ended; the last one is :data:`LAST`."""
        if self.finished:
            return
        self._marks.append((part, Mark(self._device == "cuda")))
        self._enter(len(self._marks) - 1)
        if part == LAST:
            self._end_step()
            self._begin()

    def close(self) -> None:
        """Let go of what is not finished."""
        self._leave()
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler = None

    def _begin(self) -> None:
        self._marks = [("", Mark(self._device == "cuda"))]
        self._enter(0)

    def _end_step(self) -> None:
        self._order = [name for name, _ in self._marks[1:]]
        timed = self._done - self._skipped
        if 0 <= timed < self._timed:
            self._steps.append(self._marks)
        self._done += 1
        self._leave()
        if self._done == self._skipped:
            self._before = self._counters()
        if self._done == self._skipped + self._timed:
            self._after = self._counters()
            self._record()
        elif self._done == self._skipped + self._timed + 1:
            self._profiler.step()
        elif self.finished:
            self._write()

    def _enter(self, number: int) -> None:
        """Name what comes now, so that the trace shows the parts of a step; their order is that of the step before."""
        self._leave()
        if self._profiler is not None and number < len(self._order):
            self._range = record_function(self._order[number])
            self._range.__enter__()

    def _leave(self) -> None:
        if self._range is not None:
            self._range.__exit__(None, None, None)
            self._range = None

    def _counters(self) -> tuple[float, float, list[int]]:
        if self._device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time(), self._totals()

    def _record(self) -> None:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it would print where it is
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if self._device == "cuda" else [])
        plan = torch.profiler.schedule(wait=0, warmup=1, active=self._traced, repeat=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._profiler = profile(activities=activities, schedule=plan)
            self._profiler.start()

    def _write(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._profiler.stop()
            self._folder.mkdir(exist_ok=True)
            self._profiler.export_chrome_trace(str(self._folder / TRACE_FILE))
        self._profiler = None
        write_atomic(self._folder / SUMMARY_FILE, self._summary().encode())

    def _times(self) -> StepTimes:
        rows = [seconds_of_parts(marks) for marks in self._steps]
        (start, cpu_start, counted_start), (end_s, cpu_end, counted_end) = self._before, self._after
        available = cores()
        counted = [later - earlier for later, earlier in zip(counted_end, counted_start, strict=True)]
        return StepTimes(
            stages_s={name: sum(row[name] for row in rows) / len(rows) for name in rows[0]},
            longest_s={name: max(row[name] for row in rows) for name in rows[0]},
            loader_s={name: seconds / len(rows) for name, seconds in seconds_of_stages(counted).items()},
            threads=self._threads,
            cpu_use=(cpu_end - cpu_start) / (end_s - start) / available,
            cores=available,
            steps=len(rows),
            locations=self._locations,
        )

    def _summary(self) -> str:
        return describe(self._times(), caption=self._caption, device=self._device, precision=self._precision)


def check_steps(steps: int) -> None:
    """Raise ConfigError if there are too few to profile."""
    if steps < LEAST_STEPS:
        raise ConfigError(f"profile: expected at least {LEAST_STEPS} steps to come, got {steps}; train longer")


def describe(times: StepTimes, *, caption: str, device: str, precision: str) -> str:
    """The page, as Markdown."""
    limiting, whole = times.limiting, times.step_s
    lines = [
        "# Where a training step's time goes",
        "",
        f"{caption}. {times.steps} steps: {1e3 * whole:.1f} ms each, {times.locations / whole:.0f} locations/s; "
        f"{times.cpu_use:.0%} of {times.cores} cores in use.",
        "",
        f"**Limiting: {limiting}, {times.stages_s[limiting] / whole:.0%} of a step.** {times.advice(device, precision)}",
        "",
        "| stage of a step | ms | share | longest, ms | |",
        "|---|--:|--:|--:|---|",
    ]
    for name, seconds in times.stages_s.items():
        longest = 1e3 * times.longest_s[name]
        meaning = MEANING.get(name, "")
        lines.append(f"| {name} | {1e3 * seconds:.1f} | {seconds / whole:.0%} | {longest:.1f} | {meaning} |")
    lines += [
        "",
        f"Beside it the loader's {times.threads} threads, together, for the locations of a step:",
        "",
        "| stage of the loader | ms |",
        "|---|--:|",
        *(f"| {name} | {1e3 * seconds:.1f} |" for name, seconds in times.loader_s.items()),
        "",
        f"The steps after these are in `{TRACE_FILE}`, stage by stage: open it at https://ui.perfetto.dev, which keeps it "
        "in the browser.",
    ]
    return "\n".join(lines) + "\n"
