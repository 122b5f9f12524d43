"""Calls: of own functions, helpers and kernel functions; what must hold of the arguments, and what comes back."""
