"""What seco finds on this machine, and what each thing that is missing costs."""

import platform
import re
import shutil
import subprocess
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seco import __version__, _core
from seco.device import cores
from seco.environment import package_versions

# distribution -> (what is not possible without it, what to install)
_REINSTALL = "pip install seco-eo"
_GPU, _COLLECT, _EVALUATE, _EXPORT, _MAPS = (
    f"pip install 'seco-eo[{extra}]'" for extra in ("gpu", "collect", "evaluate", "export", "maps")
)
PACKAGES = {
    "torch": ("no training and no evaluation", _REINSTALL),
    "torchvision": ("timm does not import: no backbones", _REINSTALL),
    "timm": ("no backbones: no training and no evaluation", _REINSTALL),
    "lightning": ("no training", _REINSTALL),
    "numpy": ("nothing works", _REINSTALL),
    "pyarrow": ("patch stores do not open", _REINSTALL),
    "geopandas": ("patch stores cannot be written", _REINSTALL),
    "rasterio": (
        "no GDAL: no stores are written, GeoTIFFs outside the fast profile are not read",
        _REINSTALL,
    ),
    "matplotlib": ("no figures", _REINSTALL),
    "altair": ("no report", _REINSTALL),
    "vl-convert-python": ("no report", _REINSTALL),
    "tensorboard": ("no event files of training", _REINSTALL),
    "nvidia-dali-cuda130": (
        "no --loader dali; the native loader works",
        "pip install nvidia-dali-cuda130, then seco from source where the CUDA toolkit is",
    ),
    "nvidia-libnvcomp-cu13": ("GeoTIFFs are decompressed on the CPU only", _GPU),
    "earthengine-api": ("no collect --source earthengine", _COLLECT),
    "pystac-client": ("no collect --source stac", _COLLECT),
    "segmentation_models_pytorch": ("no evaluate change", _EVALUATE),
    "onnx": ("no export --format onnx", _EXPORT),
    "onnxscript": ("no export --format onnx", _EXPORT),
    "onnxruntime": ("no export --format onnx", _EXPORT),
    "umap-learn": ("no embed --projection umap", _MAPS),
}
CODECS = ("none", "lzw", "deflate", "zstd")
_SIMD = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "amx_bf16", "asimd", "sve")


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not there.

    Attributes:
        part: What is missing.
        costs: What does not work, or is slower, without it.
        remedy: What to install or change.
    """

    part: str
    costs: str
    remedy: str


def diagnose() -> dict[str, Any]:
    """Everything that ``seco doctor`` prints, ready for JSON: versions, cuda, codecs, cpu and missing."""
    found, cuda = versions(), _cuda()
    codecs = list(_core.codecs)
    missing = [Missing(name, *PACKAGES[name]) for name in PACKAGES if found.get(name) is None]
    missing += [
        Missing(
            f"codec {name}",
            "such GeoTIFFs are read through GDAL, several times slower",
            "rebuild seco with the codec's sources at hand: see docs/decisions/0002-codecs-from-source-archives.md",
        )
        for name in CODECS
        if name not in codecs
    ]
    missing += _missing_cuda(cuda) + _missing_dali(found.get("nvidia-dali-cuda130"))
    return {
        "versions": found,
        "cuda": cuda,
        "codecs": codecs,
        "cpu": cpu(),
        "missing": [asdict(item) for item in missing],
    }


def _missing_dali(installed: str | None) -> list[Missing]:
    """The plugin, where DALI is there but the plugin is not, or is built for another version."""
    if installed is None or installed == _core.dali_version:
        return []
    got = f"is built for {_core.dali_version}" if _core.dali_version else "was not built"
    remedy = "install seco from source where DALI and the CUDA toolkit are: see README.md"
    return [Missing("seco's DALI plugin", f"no --loader dali, for the plugin {got}", remedy)]


def versions() -> dict[str, str | None]:
    """Versions of seco, Python, the packages that it uses, GDAL and nvcc; None where one is missing."""
    found = dict.fromkeys(("python", *PACKAGES)) | package_versions(PACKAGES)
    return {"seco": __version__, **found, "gdal": _gdal_version(), "nvcc": _nvcc_version()}


def covers(architectures: str, capability: tuple[int, int]) -> bool | None:
    """Whether compiled CUDA code runs on a card.

    Machine code runs on cards of the same major version and at least its minor one; PTX on every newer card
    (CUDA C++ Programming Guide, section "Compute Capabilities", binary and PTX compatibility).

    Args:
        architectures: As CMake takes them, with commas: ``80-real`` is machine code, ``90-virtual`` PTX,
            ``90`` both.
        capability: Major and minor compute capability of the card.

    Returns:
        None if that cannot be told, because the build asked for ``native`` or the like.
    """
    known = False
    for name in architectures.replace(";", ",").split(","):
        match = re.fullmatch(r"(\d+)(\d)([af]?)(-real|-virtual)?", name.strip())
        if match is None:
            continue
        known = True
        compiled = (int(match[1]), int(match[2]))
        # A suffix a or f ties code to features of that architecture: no promise for any other.
        machine = match[4] != "-virtual" and compiled[0] == capability[0] and compiled[1] <= capability[1]
        portable = match[4] != "-real" and compiled <= capability
        if (machine or portable) if not match[3] else compiled == capability:
            return True
    return False if known else None


def _gdal_version() -> str | None:
    try:
        import rasterio
    except ImportError:
        return None
    return str(rasterio.__gdal_version__)


def _nvcc_version() -> str | None:
    output = _output_of("nvcc", "--version")
    match = re.search(r"release [\d.]+, V([\d.]+)", output or "")
    return match[1] if match else None


def _output_of(*command: str) -> str | None:
    """Standard output of a program, or None if it is not there or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _cuda() -> dict[str, Any]:
    driver = _output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    cuda: dict[str, Any] = {
        "built_with_cuda": bool(_core.built_with_cuda),
        "architectures": str(_core.cuda_architectures),
        "driver": driver.split()[0] if driver and driver.split() else None,
        "torch_cuda": None,
        "available": False,
        "reason": None,
        "cards": [],
    }
    try:
        import torch
    except ImportError as error:
        return cuda | {"reason": f"torch does not import: {error}"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    # torch says as a warning why a card that is there cannot be used, such as a driver that is too old.
    reason = "; ".join(str(warning.message).splitlines()[0] for warning in caught)
    cuda |= {"torch_cuda": torch.version.cuda, "available": available}
    if not available:
        return cuda | {"reason": reason or "torch finds no CUDA device"}
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    cuda["cards"] = [
        {
            "name": card.name,
            "capability": f"{card.major}.{card.minor}",
            "memory_gib": round(card.total_memory / 2**30, 1),
            "covered": covers(cuda["architectures"], (card.major, card.minor)),
        }
        for card in cards
    ]
    return cuda


def _missing_cuda(cuda: dict[str, Any]) -> list[Missing]:
    missing = []
    if not cuda["available"]:
        missing.append(
            Missing(
                f"CUDA device ({cuda['reason']})",
                "everything runs on the CPU",
                "on a machine with an NVIDIA GPU: its driver, and a torch built with CUDA",
            )
        )
    if not cuda["built_with_cuda"]:
        missing.append(
            Missing(
                "CUDA half of seco",
                "views and decoding run on the CPU, even where there is a GPU",
                "rebuild with nvcc on PATH: pip install . -C cmake.define.SECO_CUDA=ON",
            )
        )
    missing += [
        Missing(
            f"machine code for {card['name']} (compute capability {card['capability']})",
            "seco's CUDA operations fail on this card",
            "rebuild on this machine: pip install . -C cmake.define.SECO_CUDA_ARCHITECTURES=native",
        )
        for card in cuda["cards"]
        if cuda["built_with_cuda"] and card["covered"] is False
    ]
    return missing


def cpu() -> dict[str, Any]:
    """Cores that this process may use, the model and the vector instructions (Linux; else empty)."""
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.is_file() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, flags=re.MULTILINE)
    words = set(flags[1].split()) if flags else set()
    return {
        "model": model[1] if model else platform.machine(),
        "cores": cores(),
        "simd": [name for name in _SIMD if name in words],
    }
