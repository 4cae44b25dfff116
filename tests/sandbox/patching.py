"""Takes back what patches have done to the emulator in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unpatched_afterwards() -> Iterator[None]:
    """Put every global of ministack's loaded modules back, and the content of its tables of functions.

    State that a service has gathered meanwhile is not a patch, and stays.
    """
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "ministack"]
    globals_before = [(vars(module), dict(vars(module))) for module in modules]
    tables_before = [
        (table, dict(table)) for _, values in globals_before for table in values.values() if _is_table(table)
    ]
    try:
        yield
    finally:
        for mapping, before in (*globals_before, *tables_before):
            mapping.clear()
            mapping.update(before)


def _is_table(value: Any) -> bool:
    """Whether a global is a dictionary of functions, as tables of operations are, or an entry of one."""
    return type(value) is dict and any(callable(item) for item in value.values())
