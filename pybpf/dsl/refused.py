"""What Python has and programs have not, and what to write instead: by AST node class."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 24  # names that an error lists
REFUSED = {
    "Assert": "a program cannot raise: write `if not ...: return ...` instead of assert",
    "AsyncFor": "programs do not wait: write a plain for",
    "AsyncFunctionDef": "programs do not wait: write a plain def",
    "AsyncWith": "programs do not wait: there is no async with",
    "Await": "programs do not wait: there is no await",
    "ClassDef": "define classes outside of the program: a Struct at module level can be used here",
    "Delete": "del removes an entry of a map: write del m[key]",
    "Dict": "there are no dictionaries inside a program: declare a HashMap at module level",
    "DictComp": "there are no dictionaries inside a program: declare a HashMap at module level",
    "FunctionDef": "define functions outside of the program: they can be called here",
    "GeneratorExp": "there are no generators inside a program: write a for loop",
    "Global": "a program cannot rebind a global name: declare `x = Global(u64)` at module level and set x.value",
    "Import": "import at module level, not inside the program",
    "ImportFrom": "import at module level, not inside the program",
    "JoinedStr": 'an f-string stands in printk(f"...") only',
    "Lambda": "write a function with def at module level and use its name",
    "ListComp": "there are no lists inside a program: write a for loop over an array (u32[n]())",
    "Nonlocal": "a program cannot rebind a name of the enclosing function: declare `x = Global(u64)` and set x.value",
    "Raise": "a program cannot raise: return a code, and use printk(...) to tell why",
    "SetComp": "there are no sets inside a program: write a for loop",
    "Slice": "there are no slices: copy with a loop, or pass the array on whole",
    "Starred": "there is no unpacking with * inside a program: name each value",
    "TemplateStr": 'there are no template strings inside a program: use printk(f"...")',
    "Try": "nothing raises inside a program: test results with `is None` or `< 0`",
    "TryStar": "nothing raises inside a program: test results with `is None` or `< 0`",
    "TypeAlias": "define types at module level",
    "Yield": "programs are not generators: send values to user space through a RingBuf",
    "YieldFrom": "programs are not generators: send values to user space through a RingBuf",
}


def names(wrong: str, known: Iterable[str]) -> str:
    """For an error about a name that is not there: those that are, or when they are many, those that look like it."""
    there = list(known)
    if len(there) <= MOST:
        return f"it has {', '.join(there) or 'none'}"
    from difflib import get_close_matches

    near = get_close_matches(wrong, there, 3, 0.5)
    if near:
        return f"did you mean {', '.join(near[:-1])}{' or ' if near[1:] else ''}{near[-1]}?"
    return f"it has {', '.join(there[:MOST])} and {len(there) - MOST} more"
