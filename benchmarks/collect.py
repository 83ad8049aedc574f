"""Collecting: what the collector itself costs, on a stub of Earth Engine that answers at once from another process.

The peers: the same client and writer with one request a date and one listing a location, as downloaders mostly work; and
the floor, the client and the writer alone: the same requests and files one after the other, with no choice and no books.
"""

import json
import subprocess
import sys
import tempfile

from benchmarks import ROOT
from benchmarks.record import Record, make_record

STUB = str(ROOT / "tests/collect/earthengine_stub.py")
IMPLEMENTATIONS = {"seco": "EarthEngineSource", "one-date-a-request": "OneDate", "client-and-writer-alone": "Alone"}
COLLECT = """
import json, resource, sys, time
from pathlib import Path
import ee.deprecation
import numpy as np
from seco.collect.collector import collect
from seco.collect.earthengine.source import EarthEngineSource
from seco.collect.settings import SceneSettings
from seco.data.writer import write_patch
sys.path.append("tests/collect")  # this runs at the root of the checkout
from land_rectangles import LandRectangles

class OneDate(EarthEngineSource):
    listing_size = 1
    def read(self, location, scenes):
        return np.concatenate([EarthEngineSource.read(self, location, [scene]) for scene in scenes])

class Alone(EarthEngineSource):
    pass

def collect_alone(folder, settings, source, sampler, report):
    names = [band.name for band in source.bands]
    for first in range(0, settings.locations, source.listing_size):
        numbers = range(first, min(first + source.listing_size, settings.locations))
        places = [sampler.candidate(0, number, 0) for number in numbers]
        windows = [settings.calendar.windows(0, number, 0) for number in numbers]
        for place, scenes in zip(places, source.list_scenes(places, windows), strict=True):
            some = scenes[: settings.dates]
            for scene, patch in zip(some, source.read(place, some) if some else (), strict=True):
                write_patch(
                    folder, place.id, scene.time, patch, band_names=names, epsg=place.epsg, transform=place.transform,
                    scene_id=scene.id, cloud_fraction=0.0, longitude=place.longitude, latitude=place.latitude,
                )
            report(None)

ee.deprecation._FetchDataCatalogStac = dict
url, project, folder, size, locations, kind = sys.argv[1:]
size, locations = int(size), int(locations)
source = globals()[kind](patch_size=size, cloud_percent=10, credentials="anonymous", project=project, endpoint=url)
settings = SceneSettings(
    source="earthengine", collection=source.collection, product_level="L2A", sampling="", locations=locations, seed=0,
    patch_size=size,
)
memory = []
def watch(now):
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory.append(pages * resource.getpagesize() / 1e6)
start, cpu_start = time.perf_counter(), time.process_time()
run = collect_alone if kind == "Alone" else collect
run(Path(folder), settings, source, LandRectangles(size), report=watch)
seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
half = len(memory) // 2
print(json.dumps({
    "seconds": seconds, "cpu_s": cpu_s,
    "peak_mb": [max(memory[:half]), max(memory[half:])],
}))
"""


def run(*, device: str, quick: bool) -> list[Record]:
    """Patches of 24 px, where the client's own work counts, and of 264 px, where pixels do; ``device`` does not matter."""
    records = []
    for size, locations in [(24, 30)] if quick else [(24, 600), (264, 200)]:
        runs = [
            {name: _collect(size, locations, kind) for name, kind in IMPLEMENTATIONS.items()}
            for _ in range(2 if quick else 10)
        ]
        for implementation, kind in IMPLEMENTATIONS.items():
            reports = [of_run[implementation] for of_run in runs]
            records.append(
                make_record(
                    benchmark="collect",
                    case=f"earthengine-{locations}x5-{size}px",
                    implementation=implementation,
                    device="cpu",
                    threads=1 if kind == "Alone" else 40,
                    items=locations,
                    unit="locations",
                    seconds=[report["seconds"] for report in reports],
                    requests_per_location=reports[0]["requests"] / locations,
                    cpu_s_per_location=min(report["cpu_s"] for report in reports) / locations,
                    peak_mb_first_and_second_half=reports[0]["peak_mb"],
                )
            )
    return records


def _collect(size: int, locations: int, kind: str) -> dict[str, float]:
    """Collect with an own process against an own stub, so that neither's memory or interpreter lock is the other's."""
    serve = [sys.executable, STUB, "--instant"]
    with (
        tempfile.TemporaryDirectory(prefix="seco-bench-") as folder,
        subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stub,
    ):
        assert stub.stdout is not None
        url, project = stub.stdout.readline().split()
        ask = [sys.executable, "-c", COLLECT, url, project, f"{folder}/store", str(size), str(locations), kind]
        done = subprocess.run(ask, check=True, capture_output=True, text=True, cwd=ROOT)
        requests, _ = stub.communicate()
    report: dict[str, float] = json.loads(done.stdout)
    return report | {"requests": int(requests)}
