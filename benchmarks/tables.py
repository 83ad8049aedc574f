"""Tables of the README, made from the committed records: ``python -m benchmarks.tables`` writes them, a test compares."""

import json
import re
from pathlib import Path
from typing import Any

Records = list[dict[str, Any]]

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
NOT_YET = "not yet measured"
# Rows of the GPU's table: what it is, benchmark, case, peers by the name in the record.
GPU_ROWS = (
    ("four views of a location, RGB uint8 → bfloat16", "views", "seco-rgb-uint8-bfloat16", ()),
    ("the same, 12 bands of uint16", "views", "seco-12-bands-uint16-bfloat16", ()),
    ("one view, RGB uint8 → float32", "views", "moco-rgb-uint8-float32", ("kornia", "torchvision", "nvidia.dali")),
    ("decoding patches of 12 bands in DALI, DEFLATE", "decode", "deflate-planar-all", ()),
    ("the same, bands together", "decode", "deflate-pixel-all", ("nvidia.dali", "nvidia.dali-mixed")),
    ("the same, as stores are written: ZSTD", "decode", "store-all", ()),
    ("a training step, ResNet-18, batch 256", "step", "resnet18-224px-batch-256", ("seco-2021",)),
    ("a training step, ResNet-50, batch 256", "step", "resnet50-224px-batch-256", ("seco-2021",)),
)


def main() -> None:
    """Put the tables between their marks in the README."""
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(text: str) -> str:
    """The README's text with its tables made anew."""
    table = gpu_table(read_records(device="cuda"))
    return re.sub(r"(<!-- gpu -->\n).*?(<!-- end -->)", lambda mark: f"{mark[1]}{table}\n{mark[2]}", text, flags=re.S)


def read_records(*, device: str) -> Records:
    """All committed records that were made on ``device``."""
    files = sorted((ROOT / "benchmarks" / "records").glob("*/*.json"))
    records = [record for file in files for record in json.loads(file.read_text(encoding="utf-8"))]
    return [record for record in records if record["device"] == device]


def gpu_table(records: Records) -> str:
    """For each card, the rate of ours, its share of a copy of the same bytes, and the rates of peers in the same run."""
    cards = sorted({str(record["machine"]) for record in records})
    tables = [_table_of(card, [record for record in records if record["machine"] == card]) for card in cards]
    return "\n\n".join(tables or [_table_of("GPU", [])])


def _table_of(card: str, records: Records) -> str:
    lines = [f"| {card} | seco | share of copy bandwidth | peers |", "|---|---|---|---|"]
    for label, benchmark, case, peers in GPU_ROWS:
        of_case = {r["implementation"]: r for r in records if r["benchmark"] == benchmark and r["case"] == case}
        ours, copy = of_case.get("seco"), of_case.get("copy")
        share = f"{copy['median_s'] / ours['median_s']:.0%}" if ours and copy else "" if ours else NOT_YET
        others = ", ".join(f"{name} {_rate(of_case[name])}" for name in peers if name in of_case)
        lines.append(f"| {label} | {_rate(ours) if ours else NOT_YET} | {share} | {others or ('' if ours else NOT_YET)} |")
    return "\n".join(lines)


def _rate(record: dict[str, Any]) -> str:
    return f"{record['items_per_s']:,.0f} {record['unit']}/s"


if __name__ == "__main__":
    main()
