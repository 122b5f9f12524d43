"""Live maps: `prog[packets]`, made from specs by `load`, or found in the kernel by id or pin."""

from __future__ import annotations
