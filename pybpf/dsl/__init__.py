"""The language: Python functions compiled to eBPF.

    parse -> expressions, statements, loops, calls ... (driven by `compiler`) -> ir -> passes -> select -> allocate -> emit

`kinds` has the decorators, `program` the spec that a decorated function becomes, `pipeline` the order of the stages.
"""
