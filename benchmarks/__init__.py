"""Peers side by side on the same pixels in one run, as JSON records."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # of the checkout
