"""Docstrings as help, also where Python has thrown them away.

``PYTHONOPTIMIZE=2`` and ``python -OO`` leave none, and with them a task would have no help at all.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def docstring_of(function: Callable[..., Any]) -> str:
    """Return a function's docstring, from its source where the function itself has lost it."""
    if found := inspect.getdoc(function):
        return found
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except OSError:  # no source: then there is nothing to say
        return ""
    definition = ast.parse(source).body[0]
    return (ast.get_docstring(definition) or "") if isinstance(definition, ast.FunctionDef) else ""
