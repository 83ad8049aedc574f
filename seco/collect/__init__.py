"""Collection of seasonal data sets."""
