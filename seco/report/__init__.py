"""Figures, summaries and the page of runs."""
