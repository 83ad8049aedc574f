"""``seco doctor``: what is installed, and what each missing thing costs."""

import json
from typing import Any

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(as_json: bool) -> None:
    """Print what is here, what is missing, what that costs.

    Versions, codecs, CPU and CUDA; for each missing thing what is slower or impossible without it, and what to install.
    Always exits with 0.
    """
    from seco.doctor import diagnose

    found = diagnose()
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _print_tables(found)


def _print_tables(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    there = Table(title="This machine", title_justify="left", show_header=False)
    for name, version in found["versions"].items():
        if version is not None:
            there.add_row(name, version)
    cuda, cpu = found["cuda"], found["cpu"]
    there.add_section()
    there.add_row("CPU", f"{cpu['model']}, {cpu['cores']} cores, {' '.join(cpu['simd']) or 'SIMD not known'}")
    there.add_row("codecs", " ".join(found["codecs"]))
    there.add_row("CUDA half of seco", cuda["architectures"] if cuda["built_with_cuda"] else "not built")
    there.add_row("CUDA of torch, driver", f"{cuda['torch_cuda'] or 'none'}, {cuda['driver'] or 'none'}")
    for card in cuda["cards"]:
        there.add_row(card["name"], f"compute capability {card['capability']}, {card['memory_gib']} GiB")
    console.print(there)
    if not found["missing"]:
        console.print("Nothing is missing.")
        return
    missing = Table(title="Missing", title_justify="left")
    for heading in ("what", "without it", "to mend it"):
        missing.add_column(heading, overflow="fold")
    for item in found["missing"]:
        # Text in square brackets is an extra of a package here, not markup of rich.
        missing.add_row(*(text.replace("[", r"\[") for text in item.values()))
    console.print(missing)
