"""Importing this skips a test, or a module of them, where DALI is not installed, or seco was built without its plugin."""

import pytest

pytest.importorskip("nvidia.dali", reason="DALI is not installed")
from seco import _core

if not _core.dali_version:
    pytest.skip("seco was built without DALI's plugin", allow_module_level=True)
