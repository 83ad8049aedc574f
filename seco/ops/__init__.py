"""Native operations: validate, allocate, call seco._core."""

from seco.ops.augment import augment_views
from seco.ops.geotiff import decode_geotiff
from seco.ops.random import sample_view_params

__all__ = ["augment_views", "decode_geotiff", "sample_view_params"]
