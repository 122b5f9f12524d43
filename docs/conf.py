"""Sphinx configuration: Markdown pages by MyST, reference from docstrings, any warning is an error (`make docs`)."""

from __future__ import annotations

import pybpf

project = "pybpf"
author = "The pybpf authors"
copyright = "2026, The pybpf authors"
release = pybpf.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = False
language = "en"

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}

html_theme = "furo"
html_title = "pybpf"
html_static_path = ["_static"]
html_show_sourcelink = False
html_copy_source = False
