"""The verifier: says offline whether the kernel would take a program, why not, where, and what to do.

    report = verify(spec)                       # or verify(spec, kernel="5.10"), verify(spec, env=Env.here())
    assert report.ok, report                    # prints the line, the registers that matter, the reason and a hint

`verify` follows the kernel's own method (all paths, with pruning), so that its verdicts are the kernel's.  What depends on
facts that it does not have is *unknown*: it does not guess.
"""

from __future__ import annotations

from .api import verify
from .reject import CATEGORIES
from .reports.report import Finding, Report
from .setting import Env

__all__ = ("CATEGORIES", "Env", "Finding", "Report", "verify")
