"""Peers side by side on the same pixels in one run, as JSON records."""
