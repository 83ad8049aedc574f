"""Sentinel-2 scenes on disk, read by window where they are: SAFE products, or co-registered GeoTIFFs with dates."""
