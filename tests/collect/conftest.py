"""Stubs of Earth Engine."""

import ee.deprecation
import pytest
from earthengine_stub import EarthEngineStub
from small_collections import POOR


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """The client looks for deprecated data sets on the open network whenever it starts."""
    monkeypatch.setattr(ee.deprecation, "_FetchDataCatalogStac", dict)


@pytest.fixture
def stub():
    with EarthEngineStub() as running:
        yield running


@pytest.fixture
def poor_stub():
    with EarthEngineStub(**POOR) as running:
        yield running
