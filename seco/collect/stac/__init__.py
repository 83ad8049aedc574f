"""The source ``stac``: Sentinel-2 from any SpatioTemporal Asset Catalog, without an account."""
