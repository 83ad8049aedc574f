"""``make demo``: a synthetic seasonal data set, a SeCo model trained on it, and both it and an untrained one evaluated.

Every step is a ``seco`` command that is printed before it runs, so that the demo is also a first lesson.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from seco.data.atomic import is_in_use
from seco.errors import SecoError
from seco.report.training_curves import draw_training_curves

BACKBONE = "resnet18"
LOCATIONS = 400
SEED = 1
# Small enough for two CPU cores. The defaults are for long runs on many locations; why a short one needs other settings, and
# how these were found (on the data of another seed), is in docs/decisions/0004-short-runs.md.
TRAINING = {
    "--backbone": BACKBONE,
    "--bands": "rgb",
    "--size": "32",
    "--batch-size": "32",
    "--epochs": "50",
    "--schedule": "cosine",
    "--queue": "32",
    "--key-momentum": "0",
    "--temperature": "0.1",
    "--crop-scale": "0.8",
}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results; new or empty.")
def main(out: Path) -> None:
    """Train on synthetic seasons and show what training changed."""
    try:
        result = run_demo(out)
    except SecoError as error:
        raise click.ClickException(str(error)) from error
    _print_table(result)
    click.echo(f"Results: {out / 'result.json'}; figures: {', '.join(p.name for p in sorted(out.glob('*.png')))}")
    click.echo(f"All of it on one page: {out / 'report.html'}")


def run_demo(out: Path) -> dict[str, Any]:
    """Run all steps in ``out`` and return what ``result.json`` holds.

    Args:
        out: New or empty folder.

    Returns:
        ``trained`` and ``untrained``: ``recall@1`` and ``knn_accuracy``, each in [0, 1]; ``seconds`` of the whole demo;
        ``locations_per_s`` of training.

    Raises:
        SecoError: If the folder is in use, or a step fails; its own message is already on stderr.
    """
    start = time.perf_counter()
    store, run = out / "store", out / "run"
    if is_in_use(out):
        raise SecoError(f"{out}: expected a new or empty folder, got one in use; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    synthetic = ("--source", "synthetic", "--locations", LOCATIONS, "--seed", SEED, "--patch-size", 64)
    _seco("collect", *synthetic, "--out", store)
    _seco("inspect", store, "--figures", out)
    training = [word for pair in TRAINING.items() for word in pair]
    _seco("pretrain", "--data", store, "--out", run, "--seed", SEED, "--batch-negatives", *training)
    trained = _evaluate(store, out, "trained", ["--checkpoint", run])
    untrained = _evaluate(store, out, "untrained", ["--random", BACKBONE, "--size", TRAINING["--size"]])
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    draw_training_curves(metrics, out / "training.png")
    results = [word for file in sorted(out.glob("*trained_*.json")) for word in ("--results", file)]
    _seco("report", run, "--out", out / "report.html", *results)
    result = {
        "trained": trained,
        "untrained": untrained,
        "seconds": round(time.perf_counter() - start, 1),
        "locations_per_s": sorted(line["locations_per_s"] for line in metrics)[len(metrics) // 2],
    }
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def _evaluate(store: Path, out: Path, name: str, encoder: list[object]) -> dict[str, float]:
    """Recall@1 of cross-season retrieval and accuracy of kNN of one encoder."""
    files = {task: out / f"{name}_{task}.json" for task in ("retrieval", "knn")}
    for task, file in files.items():
        _seco("evaluate", task, "--data", store, *encoder, "--json", file)
    metrics = {task: json.loads(file.read_text())["metrics"] for task, file in files.items()}
    return {"recall@1": metrics["retrieval"]["recall@1"], "knn_accuracy": metrics["knn"]["accuracy"]}


def _seco(*words: object) -> None:
    command = [str(word) for word in words]
    click.secho(f"\n$ seco {' '.join(command)}", bold=True, err=True)
    if subprocess.run([sys.executable, "-m", "seco.cli", *command], check=False, stdout=sys.stderr).returncode:
        raise SecoError(f"demo: `seco {command[0]}` failed; its message is above")


def _print_table(result: dict[str, Any]) -> None:
    table = Table(title=f"{BACKBONE} on {LOCATIONS} synthetic locations, {result['seconds']:.0f} s")
    for heading in ("", "recall@1", "kNN accuracy"):
        table.add_column(heading)
    for name in ("untrained", "trained"):
        table.add_row(name, f"{result[name]['recall@1']:.3f}", f"{result[name]['knn_accuracy']:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
