"""Small Sentinel-2 scenes on disk: bands of one tile as GeoTIFF or JPEG 2000, known number for number."""

import json
import warnings

import numpy as np
import rasterio

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A
from seco.collect.locations import place_patch

EPSG, LEFT, TOP = 32631, 399_960.0, 4_700_040.0  # corner of tile 31TDG's grid: multiples of 60
SIDE = 60  # px of 10 m; 30 of 20 m, 10 of 60 m
SIZE = 12  # px of a patch


def inside(number=0):
    """A patch of SIZE px inside the scene; those of different numbers differ."""
    from rasterio.warp import transform

    x, y = LEFT + 200 + 60 * number, TOP - 200 - 60 * number
    (longitude,), (latitude,) = transform(f"EPSG:{EPSG}", "EPSG:4326", [x], [y])
    return place_patch(f"{number:06d}", longitude, latitude, SIZE)


def numbers_of(band, seed, bands=SENTINEL2_L2A):
    """Digital numbers of a band at its own resolution, 1 to 4000, ``[n, n]`` uint16."""
    side = SIDE * 10 // band.resolution_m
    return np.random.default_rng([seed, bands.index(band)]).integers(1001, 4000, (side, side)).astype(np.uint16)


def expected_patch(location, seed, offset=0, bands=SENTINEL2_L2A):
    """``[C, SIZE, SIZE]`` at offset 0, by repeating coarse pixels, cutting and adding."""
    column, row = round((location.transform[0] - LEFT) / 10), round((TOP - location.transform[3]) / 10)
    planes = []
    for band in bands:
        step = band.resolution_m // 10
        whole = np.kron(numbers_of(band, seed, bands), np.ones((step, step), np.uint16))
        planes.append(whole[row : row + SIZE, column : column + SIZE])
    return np.maximum(np.array(planes).astype(int) + offset, 1).astype(np.uint16)


def write_raster(path, pixels, driver="GTiff", **options):
    pixels = pixels if pixels.ndim == 3 else pixels[None]
    resolution = SIDE * 10 / pixels.shape[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": driver, "count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2]}
    grid = {"crs": f"EPSG:{EPSG}", "transform": rasterio.transform.from_origin(LEFT, TOP, resolution, resolution)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "w", dtype=pixels.dtype, **profile, **grid, **options) as raster:
            raster.write(pixels)


def classes(cloudy):
    """A scene classification of 20 m: vegetation, and cloud all over if asked for."""
    return np.full((SIDE // 2, SIDE // 2), 9 if cloudy else 4, np.uint8)


def outline():
    from rasterio.warp import transform_geom
    from shapely.geometry import box, mapping

    corners = mapping(box(LEFT, TOP - 10 * SIDE, LEFT + 10 * SIDE, TOP))
    return json.loads(json.dumps(transform_geom(f"EPSG:{EPSG}", "EPSG:4326", corners)))


def write_item(folder, day, seed, *, href=str, cloudy=False, baseline="03.00", names=None, **properties):
    """A STAC item with its rasters; ``href`` makes what the item says of their paths."""
    stamp = day.replace("-", "")
    assets = {}
    for band in SENTINEL2_L2A:
        file = folder / f"{stamp}_{band.name}.tif"
        write_raster(file, numbers_of(band, seed), compress="deflate", tiled=True, blockxsize=16, blockysize=16)
        assets[(names or {}).get(band.name, band.name)] = {"href": href(file), "roles": ["data"]}
    write_raster(folder / f"{stamp}_SCL.tif", classes(cloudy))
    assets["scl"] = {"href": href(folder / f"{stamp}_SCL.tif")}
    return {
        "type": "Feature", "stac_version": "1.0.0", "stac_extensions": [], "collection": "sentinel-2-test", "links": [],
        "id": f"S2A_31TDG_{stamp}", "geometry": outline(), "bbox": [-180, -90, 180, 90], "assets": assets,
        "properties": {
            "datetime": f"{day}T10:36:31Z", "eo:cloud_cover": 3.5, "s2:processing_baseline": baseline,
            "grid:code": "MGRS-31TDG", **properties,
        },
    }  # fmt: skip


def write_safe(folder, day, seed, *, level="L2A", baseline="05.09", offset=-1000):
    """A product as ESA packs it: metadata, and JPEG 2000 images of each resolution."""
    stamp = f"{day.replace('-', '')}T103631"
    name = f"S2A_MSI{level}_{stamp}_N{baseline.replace('.', '')}_R008_T31TDG_{stamp}"
    bands = SENTINEL2_L1C if level == "L1C" else SENTINEL2_L2A
    images = []
    for band in bands:
        where = f"R{band.resolution_m}m/" if level == "L2A" else ""
        suffix = f"_{band.resolution_m}m" if level == "L2A" else ""
        image = f"GRANULE/L2A_T31TDG/IMG_DATA/{where}T31TDG_{stamp}_{band.name}{suffix}"
        lossless = {"QUALITY": "100", "REVERSIBLE": "YES"}
        write_raster(folder / f"{name}.SAFE" / f"{image}.jp2", numbers_of(band, seed, bands), "JP2OpenJPEG", **lossless)
        images.append(image)
    corners = " ".join(f"{y} {x}" for x, y in outline()["coordinates"][0])
    tag = "BOA_ADD_OFFSET" if level == "L2A" else "RADIO_ADD_OFFSET"
    offsets = "".join(f'<{tag} band_id="{i}">{offset}</{tag}>' for i in range(13)) if offset else ""
    metadata = (
        f"<r><PRODUCT_URI>{name}.SAFE</PRODUCT_URI><PRODUCT_START_TIME>{day}T10:36:31.024Z</PRODUCT_START_TIME>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><EXT_POS_LIST>{corners}</EXT_POS_LIST>"
        f"<Cloud_Coverage_Assessment>3.5</Cloud_Coverage_Assessment><l>{offsets}</l>"
        f"{''.join(f'<IMAGE_FILE>{image}</IMAGE_FILE>' for image in images)}</r>"
    )
    (folder / f"{name}.SAFE" / f"MTD_MSI{level}.xml").write_text(metadata)
    return name
