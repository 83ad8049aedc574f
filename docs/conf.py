"""Sphinx: ``make docs`` builds the pages into ``build/docs``; a warning is an error."""

import seco

project = "seco"
author = "the seco contributors"
release = seco.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"seco {release}"
html_copy_source = False
myst_heading_anchors = 3
napoleon_google_docstring = True
napoleon_use_ivar = True  # fields of dataclasses are described once
napoleon_custom_sections = [("Source", "notes_style")]
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"


def setup(app):  # noqa: ANN001, ANN201, D103 - Sphinx's own types are not needed here
    app.connect("autodoc-skip-member", lambda *args: True if "Alias for field" in str(args[3].__doc__) else None)
