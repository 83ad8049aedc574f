"""Large stores: how long an index of many locations takes to open and to shuffle, and how much memory.

The index is made, the pixels are not. Each opening has a process of its own, as a user's has.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.record import PEAK_MB, Record, make_record, report_of
from seco.bands import SENTINEL2_L2A
from seco.data.description import DATASET_FILE, INDEX_FILE, SHARD_COLUMNS, StoreDescription
from seco.data.statistics import BandStatistics

DATES = 5
# What a process does and reports: seconds, memory of the process and of its imports alone, and the answer.
OPEN = """
import json, sys, time
{imports}
memory = lambda: PEAK_MB
imported, start = memory(), time.perf_counter()
{work}
print(json.dumps({{"seconds": time.perf_counter() - start, "peak_mb": memory(), "imports_mb": imported, "answer": answer}}))
""".replace("PEAK_MB", PEAK_MB)
SECO = {
    "open": OPEN.format(
        imports="from seco.data.store import open_store",
        work="store = open_store(sys.argv[1]); answer = [len(store), str(store.sources(len(store) - 1)[-1])]",
    ),
    "shuffle": OPEN.format(
        imports="import numpy as np; from seco.ops.random import permutation",
        work="order = permutation(int(sys.argv[2]), seed=0, epoch=1); answer = [len(np.unique(order)), int(order.max())]",
    ),
}
GEOPANDAS = OPEN.format(
    imports="import geopandas",
    work="frame = geopandas.read_parquet(sys.argv[1] + '/index.parquet'); answer = frame['location_id'].nunique()",
)


def run(*, device: str, quick: bool) -> list[Record]:
    """Opening and shuffling; ``device`` does not matter."""
    runs = 2 if quick else 11
    records = []
    for locations in [1000] if quick else [1000, 20_000, 200_000, 1_000_000]:
        with tempfile.TemporaryDirectory(prefix="seco-bench-") as folder:
            write_index(Path(folder), locations)
            last = f"{folder}/shards/{(locations * DATES - 1) // 1000:06d}.tar at byte {999 * 600_000}"
            answers = {"open": [locations, last], "shuffle": [locations, locations - 1]}
            scripts = {**{(case, "seco"): script for case, script in SECO.items()}, ("open", "geopandas"): GEOPANDAS}
            reports: dict[tuple[str, str], list[dict[str, float]]] = {key: [] for key in scripts}
            for _ in range(runs):  # in turns: a busy moment of the machine meets all
                for key, script in scripts.items():
                    reports[key].append(report_of(script, folder, locations))
            for (case, name), of_case in reports.items():
                answer = answers[case] if name == "seco" else locations
                records.append(_record(f"{case}-{locations}x{DATES}", name, locations, of_case, answer))
    return records


def write_index(folder: Path, locations: int) -> None:
    """``dataset.json`` and the index of a packed store of ``locations`` places at five dates; no pixels."""
    statistics = {band.name: BandStatistics(mean=1000, std=500, q02=100, q98=3000) for band in SENTINEL2_L2A}
    words = {"sensor": "Sentinel-2", "product_level": "L2A", "source": "none", "licence": "CC0-1.0"}
    description = StoreDescription(
        bands=SENTINEL2_L2A, dtype="uint16", quantification=1e4, offset=-1000, patch_size=264, resolution_m=10,
        statistics=statistics, seed=0, **words,
    )  # fmt: skip
    (folder / DATASET_FILE).write_text(description.to_json())
    rows = np.arange(locations * DATES)
    random = np.random.default_rng(0)
    times = np.datetime64("2020-01-01", "s") + (rows % DATES) * np.timedelta64(90, "D")
    longitudes, latitudes = (random.uniform(*between, locations).repeat(DATES) for between in ((-180, 180), (-60, 70)))
    ids = [f"{i:07d}" for i in range(locations)]
    columns = {
        "location_id": np.repeat(ids, DATES),
        "time": times,
        "scene_id": np.full(len(rows), "S2A_MSIL2A_20200101T103629_N0500_R008_T31TDF_20200101T103629"),
        "epsg": np.full(len(rows), 32631, dtype=np.int32),
        "geotransform": pyarrow.FixedSizeListArray.from_arrays(random.uniform(0, 6e6, 6 * len(rows)), 6),
        "cloud_fraction": random.random(len(rows), dtype=np.float32),
        "path": [f"patches/{ids[r // DATES]}/{r % DATES}.tif" for r in rows.tolist()],
        "bytes": np.full(len(rows), 565_000),
        "checksum": [random.bytes(32).hex() for _ in range(len(rows))],
        "geometry": _points(longitudes, latitudes),
        **dict(zip(SHARD_COLUMNS, ([f"shards/{r // 1000:06d}.tar" for r in rows.tolist()], rows % 1000 * 600_000,
                                   np.full(len(rows), 565_000)), strict=True)),
    }  # fmt: skip
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
    }
    table = pyarrow.table(columns).replace_schema_metadata({"geo": json.dumps(geo)})
    pyarrow.parquet.write_table(table, folder / INDEX_FILE, compression="zstd")


def _points(longitudes: np.ndarray, latitudes: np.ndarray) -> pyarrow.Array:
    """Points as WKB."""
    points = np.zeros(len(longitudes), dtype=[("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")])
    points["order"], points["kind"], points["x"], points["y"] = 1, 1, longitudes, latitudes
    fixed, content = pyarrow.binary(points.itemsize), [None, pyarrow.py_buffer(points.tobytes())]
    return pyarrow.FixedSizeBinaryArray.from_buffers(fixed, len(points), content).cast(pyarrow.binary())


def _record(case: str, name: str, items: int, reports: list[dict[str, float]], answer: object) -> Record:
    if any(report["answer"] != answer for report in reports):
        raise RuntimeError(f"{name}: expected {answer} of {case}, got {reports[0]['answer']}")
    return make_record(
        benchmark="scale",
        case=case,
        implementation=name,
        device="cpu",
        threads=1,
        items=items,
        unit="locations",
        seconds=[report["seconds"] for report in reports],
        peak_mb=max(report["peak_mb"] for report in reports),
        imports_mb=max(report["imports_mb"] for report in reports),
    )
