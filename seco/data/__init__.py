"""Patch stores, importers and loaders."""
