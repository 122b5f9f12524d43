"""Random well-typed programs: whole files, which are compiled to eBPF and evaluated by Python (`model` stands in for the kernel).

`declarations` is what a program may declare; `numbers`, `statements`, `storage`, `hooks`, `functions` and `packets` are tables of
constructs with weights over one `writer`; `programs.program` puts one together.
"""

from .programs import program

__all__ = ["program"]
