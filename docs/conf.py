"""Sphinx configuration: Markdown pages by MyST, reference from docstrings, any warning is an error (`make docs`)."""

from __future__ import annotations

import re

from pygments.lexers.special import TextLexer

import pybpf

project = "pybpf"
author = "The pybpf authors"
copyright = "2026, The pybpf authors"  # noqa: A001 (the name is Sphinx's)
release = pybpf.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = False
suppress_warnings = ["ref.python"]  # several modules have an Insn: the nearest is meant
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


# Docstrings are plain text with `names` in backticks and examples indented by four; Sphinx reads reStructuredText.
SPAN = re.compile(r"`+[^`]+`+")


def literal(text: str) -> str:
    """A line with its backticks as literals, and everything else without a meaning for reStructuredText."""
    out, end = [], 0
    for match in SPAN.finditer(text):
        out += [plain(text[end : match.start()]), "``", match[0].strip("`"), "``"]
        end = match.end()
        if text[end : end + 1].isalnum():
            out.append("\\ ")
    return "".join([*out, plain(text[end:])])


def plain(text: str) -> str:
    return re.sub(r"([*|`\\]|(?<=\w)_(?!\w))", r"\\\1", text)


def docstring(app, what, name, obj, options, lines) -> None:
    out: list[str] = []
    block = item = False
    for line in lines:
        indented = line.startswith(" ")
        if not line.strip():
            out.append("")
            continue
        if indented and not block and not item:
            out += ["", "::", ""]
            block = True
        elif not indented and block:
            out.append("")
            block = False
        if not indented:
            item = line.startswith(("- ", "* ")) or bool(re.match(r"\d+\. ", line))
        mark = line[: len(line) - len(line.lstrip())]
        out.append(
            line if block else (line[:2] + literal(line[2:]) if item and not indented else mark + literal(line.strip()))
        )
    lines[:] = out


def setup(app) -> None:
    app.add_lexer("asm", TextLexer)  # ours is eBPF in the kernel's notation; Pygments' own is of another kind
    app.connect("autodoc-process-docstring", docstring)
