"""Tables of the README, made from the committed records: ``python -m benchmarks.tables`` writes them, a test compares."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks import ROOT
from benchmarks.record import Record, Records, records_of

README = ROOT / "README.md"
NOT_YET = "not yet measured"


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        label: What was done.
        benchmark: Name in the records.
        case: Name in the records.
        threads: Of ours and of peers; peers of one thread only stand beside ours on one.
        peers: Names in the records and in the table.
        cell: What of a record is shown.
    """

    label: str
    benchmark: str
    case: str
    threads: int
    peers: Mapping[str, str]
    cell: Callable[[Record], str]

    def find(self, records: Records) -> tuple[Record | None, dict[str, Record]]:
        """Our record among those of one machine, beside DALI alone that of our operator in DALI; and peers' by label."""
        case = self.benchmark, self.case, self.threads
        found = {r["implementation"]: r for r in records if (r["benchmark"], r["case"], r["threads"]) == case}
        ours = found.get("seco-dali" if set(self.peers) == {"nvidia.dali"} else "seco")
        return ours, {label: found[name] for name, label in self.peers.items() if name in found}


def _milliseconds(record: Record) -> str:
    return f"{1000 / record['items_per_s']:.3g} ms"


def _rate(record: Record) -> str:
    return f"{record['items_per_s']:,.0f} {record['unit']}/s"


def _opening(record: Record) -> str:
    return f"{record['median_s']:.2g} s, {record['peak_mb']:,.0f} MB"


DECODERS = {"gdal": "GDAL", "rasterio": "rasterio", "tifffile": "tifffile", "imagecodecs": "imagecodecs"}
AUGMENTERS = {
    "albumentations": "albumentations", "kornia": "kornia", "torchvision": "torchvision on PIL",
    "torchvision-v2": "torchvision v2", "nvidia.dali": "DALI",
}  # fmt: skip
IN_DALI = {"nvidia.dali": "DALI"}
LOADER_2021 = {"seco-2021": "the 2021 loader made again"}
STEP_2021 = {"seco-2021": "the 2021 step made again"}
IMAGE_FOLDER = {"torchvision-loader": "torchvision's folder, torch's loader"}
SKLEARN = {"scikit-learn": "scikit-learn"}
CPU_ROWS = (
    Row("a view, MoCo-v2 recipe, RGB uint8", "views", "moco-rgb-uint8", 1, AUGMENTERS, _milliseconds),
    Row("a patch of a store (ZSTD), all bands", "decode", "store-all", 1, DECODERS, _milliseconds),
    Row("a patch of a store, RGB only", "decode", "store-rgb", 1, DECODERS, _milliseconds),
    Row("a patch with DEFLATE, all bands", "decode", "deflate-planar-all", 1, DECODERS, _milliseconds),
    Row("a patch with DEFLATE, RGB only", "decode", "deflate-planar-rgb", 1, DECODERS, _milliseconds),
    Row("bands together, DEFLATE, both in DALI, two cores", "decode", "deflate-pixel-all", 2, IN_DALI, _milliseconds),
    Row("bands together, ZSTD, both in DALI, two cores", "decode", "zstd-pixel-all", 2, IN_DALI, _milliseconds),
    Row("the loader, four views of a location", "loader", "seco-rgb-of-12", 1, LOADER_2021, _rate),
    Row("the same on two cores", "loader", "seco-rgb-of-12", 2, {}, _rate),
    Row("a training step, ResNet-18, 64 px, two cores", "step", "resnet18-64px-batch-16", 2, STEP_2021, _rate),
    Row("the same, 64 locations a step", "step", "resnet18-64px-batch-64", 2, STEP_2021, _rate),
    Row("the same in bfloat16", "step", "resnet18-64px-batch-64-bf16", 2, {}, _rate),
    Row("features of JPEGs of 64 px, ResNet-18, two cores", "features", "resnet18-64px-jpeg", 2, IMAGE_FOLDER, _rate),
    Row("20 nearest neighbours among 10,000, two cores", "features", "knn-10000-of-10000x512", 2, SKLEARN, _rate),
    Row("retrieval, 5,000 among one another, two cores", "features", "retrieval-5000x512", 2, SKLEARN, _rate),
    Row("logistic regression on 20,000 features, two cores", "features", "logistic-20000x512x10", 2, SKLEARN, _rate),
    Row("opening 200,000 locations × 5 dates", "scale", "open-200000x5", 1, {"geopandas": "geopandas"}, _opening),
)
# Rows of the GPU's table: what it is, benchmark, case, peers by the name in the record.
GPU_ROWS = (
    ("four views of a location, RGB uint8 → bfloat16", "views", "seco-rgb-uint8-bfloat16", ()),
    ("the same, 12 bands of uint16", "views", "seco-12-bands-uint16-bfloat16", ()),
    ("one view, RGB uint8 → float32", "views", "moco-rgb-uint8-float32", ("kornia", "torchvision", "nvidia.dali")),
    ("decoding patches of 12 bands in DALI, DEFLATE", "decode", "deflate-planar-all", ()),
    ("the same, bands together", "decode", "deflate-pixel-all", ("nvidia.dali", "nvidia.dali-mixed")),
    ("the same, as stores are written: ZSTD", "decode", "store-all", ()),
    ("a training step, ResNet-18, batch 256", "step", "resnet18-224px-batch-256", ("seco-2021", "seco-compiled")),
    ("the same, fed from a packed store", "step", "resnet18-224px-batch-256-end-to-end", ()),
    ("the same, fed through DALI", "step", "resnet18-224px-batch-256-end-to-end-dali", ()),
    ("a training step, ResNet-50, batch 256", "step", "resnet50-224px-batch-256", ("seco-2021", "seco-compiled")),
    ("the same, fed from a packed store", "step", "resnet50-224px-batch-256-end-to-end", ()),
)


def main() -> None:
    """Put the tables between their marks in the README."""
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(text: str) -> str:
    """The README's text with its tables made anew."""
    tables = {"cpu": cpu_table(read_records(device="cpu")), "gpu": gpu_table(read_records(device="cuda"))}
    for name, table in tables.items():
        marks = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text = re.sub(marks, lambda mark, table=table: f"{mark[1]}{table}\n{mark[2]}", text, flags=re.S)  # type: ignore[misc]
    return text


def read_records(*, device: str) -> Records:
    """All committed records that were made on ``device``."""
    files = sorted((ROOT / "benchmarks" / "records").glob("*/*.json"))
    return [record for file in files for record in records_of(file) if record["device"] == device]


def cpu_table(records: Records) -> str:
    """For each machine, ours and its peers, each in the same run."""
    return "\n\n".join(_cpu_table(name, of_machine) for name, of_machine in by_machine(records).items())


def by_machine(records: Records) -> dict[str, Records]:
    """Records by the machine that they were made on, in the order of names."""
    names = sorted({str(record["machine"]) for record in records})
    return {name: [record for record in records if record["machine"] == name] for name in names}


def _cpu_table(machine: str, records: Records) -> str:
    lines = [f"| {machine} | seco | peers |", "|---|---|---|"]
    for row in CPU_ROWS:
        ours, peers = row.find(records)
        if ours is not None:
            others = ", ".join(f"{label} {row.cell(peer)}" for label, peer in peers.items())
            lines.append(f"| {row.label} | {row.cell(ours)} | {others} |")
    return "\n".join(lines)


def gpu_table(records: Records) -> str:
    """For each card, the rate of ours, its share of a copy of the same bytes, and the rates of peers in the same run."""
    tables = [_table_of(card, of_card) for card, of_card in by_machine(records).items()]
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


if __name__ == "__main__":
    main()
