"""The names that users' scripts rely on."""

import subprocess
import sys

import seco.ops


def test_operations_are_where_users_look_for_them():
    assert seco.ops.sample_view_params.__module__ == "seco.ops.random"
    assert seco.ops.augment_views.__module__ == "seco.ops.augment"
    assert seco.ops.decode_geotiff.__module__ == "seco.ops.geotiff"


def test_importing_them_loads_neither_torch_nor_gdal():
    code = "import sys, seco.ops; print(sorted({'torch', 'rasterio', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
