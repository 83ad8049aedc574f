"""Synthetic scenes of a corner of tile 31TDG, on dates 25 days apart: what each pixel is, on disk, and in a store."""

import functools

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.warp import transform, transform_geom
from shapely.geometry import box, mapping, shape

from seco.bands import SENTINEL2_L2A
from seco.collect.stac.items import COMMON_NAMES

WEST, NORTH, SIDE_M = 399_960, 4_600_020, 3_600
DAYS = [str(day) for day in np.arange("2020-06-01", "2022-01-01", 25, dtype="datetime64[D]")]
CLEAR, CLOUDY = 4, 9
OUTLINE = shape(transform_geom("EPSG:32631", "EPSG:4326", mapping(box(WEST, NORTH - SIDE_M, WEST + SIDE_M, NORTH))))


@functools.cache
def pixels(band, date):
    """At native resolution; nodata in a corner, and a pixel darker than the offset beside it."""
    side = SIDE_M // band.resolution_m
    seed = [date, *band.name.encode()]
    found = np.random.default_rng(seed).integers(1_001, 4_000, (side, side)).astype(np.uint16)
    found[0, 0], found[1, 1] = 0, 900
    return found


def classes(date):
    """Every fifth date is all cloud, though the catalogue does not know."""
    return np.full((SIDE_M // 20, SIDE_M // 20), CLOUDY if date % 5 == 0 else CLEAR, np.uint8)


def write_raster(path, planes, *, driver="GTiff", offset=None):
    """On the scenes' grid; an offset of reflectance becomes GDAL's offset and scale."""
    planes = planes if planes.ndim == 3 else planes[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = planes.shape
    pixel_m = SIDE_M / width
    grid = {"crs": "EPSG:32631", "transform": Affine(pixel_m, 0, WEST, 0, -pixel_m, NORTH)}
    size = {"width": width, "height": height, "count": count, "dtype": planes.dtype}
    lossless = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    with rasterio.open(path, "w", driver=driver, **size, **grid, **lossless) as file:
        file.write(planes)
        if offset is not None:
            file.offsets, file.scales = [offset] * count, [1e-4] * count


def write_place(folder, *, dtype=np.uint16, offset=None):
    """All bands on the 10 m grid, as a GeoTIFF of that kind has to have them, one file a date."""
    for date, day in enumerate(DAYS):
        planes = [np.kron(pixels(b, date), np.ones((b.resolution_m // 10,) * 2, np.uint16)) for b in SENTINEL2_L2A]
        write_raster(folder / f"place_{day}.tif", np.stack(planes).astype(dtype), offset=offset)
    return folder


def points(count):
    """Longitudes and latitudes ``[count, 2]`` within the scenes."""
    along = np.linspace(0.2, 0.8, count) * SIDE_M
    return np.stack(transform("EPSG:32631", "EPSG:4326", WEST + along, NORTH - along[::-1]), axis=1)


def write_points(path, count):
    """The same as a file that ``--points`` takes."""
    path.write_text("\n".join(["lon,lat", *(f"{longitude},{latitude}" for longitude, latitude in points(count))]))
    return path


def make_items(folder, href, *, collection="sentinel-2-c1-l2a", baseline="03.00"):
    """Write rasters to a folder, and describe them as STAC items whose links begin with ``href``."""
    items = []
    for date, day in enumerate(DAYS):
        name = f"S2A_31TDG_{day.replace('-', '')}_0_L2A"
        write_raster(folder / name / "SCL.tif", classes(date))
        assets = {"scl": {"href": f"{href}/{name}/SCL.tif"}}
        for band in SENTINEL2_L2A:
            write_raster(folder / name / f"{band.name}.tif", pixels(band, date))
            assets[COMMON_NAMES[band.name]] = {"href": f"{href}/{name}/{band.name}.tif"}
        properties = {
            "datetime": f"{day}T10:36:31.024000Z",
            "eo:cloud_cover": 2.5,
            "s2:processing_baseline": baseline,
            "grid:code": "MGRS-31TDG",
        }
        items.append(item(name, properties, assets, collection))
    return items


def item(name, properties, assets, collection):
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": mapping(OUTLINE),
        "bbox": list(OUTLINE.bounds),
        "properties": properties,
        "assets": assets,
        "links": [],
    }


def expected_patch(geotransform, date, *, patch_size, bands=SENTINEL2_L2A, offset=0):
    """``[C, patch_size, patch_size]`` at offset 0: coarse pixels repeated, cut out, and moved."""
    left, top = round((geotransform[0] - WEST) / 10), round((NORTH - geotransform[3]) / 10)
    planes = []
    for band in bands:
        native = pixels(band, date).astype(int)
        native = np.where(native == 0, 0, np.maximum(native + offset, 1))
        fine = np.kron(native, np.ones((band.resolution_m // 10,) * 2, int))
        planes.append(fine[top : top + patch_size, left : left + patch_size])
    return np.array(planes)


def check_store(store, *, offset=0, clear=True):
    """Every pixel of a store is that of its place and date."""
    rows = store.read_index(["time", "geotransform", "cloud_fraction"]).to_pylist()
    patches = store.read(np.arange(len(rows)))
    for row, patch in zip(rows, patches, strict=True):
        date = DAYS.index(str(row["time"])[:10])
        assert not clear or (date % 5 != 0 and row["cloud_fraction"] == 0.0)
        expected = expected_patch(row["geotransform"], date, patch_size=store.patch_size, bands=store.bands, offset=offset)
        np.testing.assert_array_equal(patch, expected)
