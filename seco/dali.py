"""NVIDIA DALI operators; importing this module adds them to DALI: ``fn.seco.decode_geotiff`` and its neighbours.

They are ordinary operators of DALI and need nothing else of this package::

    import seco.dali
    from nvidia.dali import fn, pipeline_def

    @pipeline_def(batch_size=8, num_threads=4, device_id=None)
    def patches():
        encoded, _ = fn.readers.file(files=files)
        return fn.seco.decode_geotiff(encoded, bands=[3, 2, 1])
"""

from contextlib import suppress
from pathlib import Path

from seco import _core
from seco.environment import extra
from seco.errors import ConfigError

PLUGIN = Path(_core.__file__).with_name("_dali.so")


def _load() -> None:
    with extra("gpu", "nvidia-dali-cuda130", "DALI"):
        from nvidia.dali import __version__ as installed
        from nvidia.dali import plugin_manager
    if not _core.dali_version:
        raise ConfigError(
            "DALI: expected seco with its plugin, got one that was built where DALI or the CUDA headers were missing; "
            "install nvidia-dali-cuda130, then seco from source"
        )
    if installed != _core.dali_version:
        raise ConfigError(
            f"DALI: expected {_core.dali_version}, for which seco's plugin is built, got {installed}; "
            f"pip install nvidia-dali-cuda130=={_core.dali_version}"
        )
    if _core.built_with_cuda:
        # From then on the plugin finds nvCOMP by name, wherever it is installed; where it is not, decoding on a GPU says so.
        with suppress(ImportError, OSError):
            from nvidia.libnvcomp import load_library

            load_library()
    plugin_manager.load_library(str(PLUGIN))


_load()
