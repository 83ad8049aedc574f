"""The page of ``seco report`` and ``seco watch``: one HTML file that needs nothing else."""

from seco.report.page.build import Given, build_page

__all__ = ["Given", "build_page"]
