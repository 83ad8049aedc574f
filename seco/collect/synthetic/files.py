"""The files of one synthetic location: its patches, and the class of every pixel."""

from pathlib import Path

import numpy as np

from seco.bands import SENTINEL2_L2A
from seco.collect.patches import Patches, write_patches
from seco.collect.synthetic.classes import CLASSES
from seco.collect.synthetic.series import Series
from seco.data.atomic import atomic_path
from seco.data.description import LABEL_FOLDER
from seco.data.writer import stamp_of


def label_file(location_id: str) -> str:
    """The raster of classes of a location, relative to the store."""
    return f"{LABEL_FOLDER}/{location_id}.tif"


def write_series(folder: Path, series: Series) -> Patches:
    """Write all files of a location into the store at ``folder``."""
    place = series.location
    _write_labels(folder / label_file(place.id), series)
    said = [
        {
            "time": time,
            "scene_id": f"SYNTHETIC_MSIL2A_{stamp_of(time)}_{place.id}",
            "cloud_fraction": scene.cloud_fraction,
        }
        for time, scene in zip(series.times, series.scenes, strict=True)
    ]
    pixels = np.stack([scene.pixels for scene in series.scenes])
    return write_patches(folder, place, pixels, bands=SENTINEL2_L2A, said=said, label=series.label)


def _write_labels(path: Path, series: Series) -> None:
    """Write the class of each pixel: 1, 2, … in the order of CLASSES, with their colours; 0 is nodata."""
    import rasterio

    path.parent.mkdir(exist_ok=True)
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": len(series.labels),
        "width": len(series.labels),
        "nodata": 0,
        "compress": "deflate",
        "crs": f"EPSG:{series.location.epsg}",
        "transform": rasterio.Affine.from_gdal(*series.location.transform),
    }
    with atomic_path(path) as temporary, rasterio.open(temporary, "w", **profile) as raster:
        raster.write(series.labels, 1)
        raster.write_colormap(1, {value: c.colour for value, c in enumerate(CLASSES, start=1)})
        raster.update_tags(classes=", ".join(f"{value} {c.name}" for value, c in enumerate(CLASSES, start=1)))
