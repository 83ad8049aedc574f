"""Small collections on a stub of Earth Engine: settings, sources, gates and what they leave."""

from earthengine_stub import PROJECT
from land_rectangles import LandRectangles

from seco.collect.collector import collect
from seco.collect.earthengine.source import EarthEngineSource
from seco.collect.gate import RequestGate
from seco.collect.settings import SceneSettings

SIZE = 12  # px of a patch: what is tested does not depend on it

# Most candidates are rejected: few scenes are clear, and of those many have a cloud over the patch.
POOR = {"clear": 0.35, "hazy": 0.4}


def source_of(stub, **changes):
    options = {"patch_size": SIZE, "cloud_percent": 10.0, "credentials": "anonymous", "project": PROJECT}
    return EarthEngineSource(endpoint=stub.url, **options | changes)


def settings_of(**changes):
    options = {
        "source": "earthengine",
        "collection": "COPERNICUS/S2_SR_HARMONIZED",
        "product_level": "L2A",
        "sampling": "rectangles of land",
        "locations": 12,
        "seed": 7,
        "patch_size": SIZE,
    }
    return SceneSettings(**options | changes)


def quick_gate(**changes):
    """A gate that does not wait long, neither before it asks again nor in an outage."""
    return RequestGate(**{"backoff_s": 0.01, "outage_s": 0.5} | changes)


def files_of(folder):
    """Every file of a folder with its bytes."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def run(folder, stub, *, gate=None, skip_bad=False, report=lambda progress: None, **changes):
    settings = settings_of(**changes)
    source = source_of(stub, cloud_percent=settings.cloud_percent, patch_size=settings.patch_size)
    gate = gate or quick_gate(tries=20)
    places = LandRectangles(settings.patch_size)
    return collect(folder, settings, source, places, gate=gate, skip_bad=skip_bad, report=report)
