"""Files and folders of the names that the documentation uses, small."""

import shutil

import numpy as np
import rasterio
import torch
from collect.scenes import points, write_place
from commands import seco
from data.test_scene_folders import make_seco2021, make_ssl4eo
from pages import ROOT, blocks
from PIL import Image

from seco.pretrain.backbone import build_backbone

SMALL_RUN = [
    *("--backbone", "resnet18", "--size", "32", "--batch-size", "4"),
    *("--epochs", "1", "--steps", "2", "--queue", "16"),
]


def make(folder):
    """Fill ``folder`` with all of them."""
    store, run = folder / "STORE", folder / "RUN"
    seco("collect", "--source", "synthetic", "--out", store, "--locations", 12, "--patch-size", 48, "--seed", 0)
    seco("pretrain", "--data", store, "--out", run, *SMALL_RUN)
    seco(
        "collect",
        "--source",
        "synthetic",
        "--out",
        folder / "SMALL_STORE",
        "--locations",
        6,
        "--patch-size",
        48,
        "--seed",
        1,
    )
    for file in ("vectors.parquet", "vectors.npy"):
        seco("embed", "--data", store, "--checkpoint", run, "--out", folder / file)
    seco("pack", store, "--out", folder / "PACKED")
    shutil.copytree(run, folder / "RUN2")
    (folder / "RESULTS").mkdir()
    seco("evaluate", "knn", "--data", store, "--random", "resnet18", "--json", folder / "RESULTS" / "random.json")
    shutil.copytree(ROOT / "benchmarks" / "records", folder / "RECORDS")
    torch.save({"state_dict": build_backbone("resnet18", 3).state_dict()}, folder / "seco_resnet18_1m.ckpt")
    seco("import-checkpoint", folder / "seco_resnet18_1m.ckpt", "--out", folder / "SECO_1M", "--size", "32")
    for place in ("RASTERS", "LAKE", "PLAIN"):
        make_rasters(folder / place)
    write_place(folder / "SCENES")
    settings = next(block.text for block in blocks(ROOT / "docs/how-to/settings.md") if block.language == "toml")
    (folder / "settings.toml").write_text(settings)
    (folder / "POINTS.csv").write_text("lon,lat\n" + "".join(f"{lon},{lat}\n" for lon, lat in points(4)))
    make_classes(folder / "FOLDER")
    make_classes(folder / "FOLDER_OF_CLASSES")
    make_pairs(folder / "PAIRS")
    make_seco2021(folder / "seasonal_contrast_100k")
    for part in ("s2a", "s2c"):
        make_ssl4eo(folder / "ssl4eo-s12" / part)


def make_rasters(folder):
    """Three dates of one place, four bands."""
    folder.mkdir()
    grid = {"crs": "EPSG:32631", "transform": rasterio.transform.from_origin(500_000, 4_700_040, 10, 10)}
    for date in ("2021-01-10", "2021-04-10", "2021-07-10"):
        pixels = np.random.default_rng(int(date[5:7])).integers(300, 3000, (4, 128, 128)).astype(np.uint16)
        with rasterio.open(
            folder / f"place_{date}.tif", "w", count=4, height=128, width=128, dtype="uint16", **grid
        ) as raster:
            raster.write(pixels)
            raster.descriptions = ("B02", "B03", "B04", "B08")


def make_classes(folder):
    """Pictures of two classes, of which one is brighter."""
    for name, brightness in {"forest": 60, "town": 160}.items():
        (folder / name).mkdir(parents=True)
        for i in range(12):
            pixels = np.random.default_rng(i).integers(brightness - 40, brightness + 40, (64, 64, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def make_pairs(folder):
    """Three places, in each a square that became bright."""
    for i in range(3):
        (folder / f"place{i}").mkdir(parents=True)
        before = np.random.default_rng(i).integers(40, 90, (96, 96, 3)).astype(np.uint8)
        mask = np.zeros((96, 96), np.uint8)
        mask[20:50, 30:60] = 255
        pictures = {"before": before, "after": before + mask[..., None] // 2, "mask": mask}
        for name, pixels in pictures.items():
            Image.fromarray(pixels).save(folder / f"place{i}" / f"{name}.png")
