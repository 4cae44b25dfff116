"""``invoke test`` and ``lint`` of the platform's own repository: what CI calls.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from the_sink.tasks.decorator import task


@task
def test(_c: Context, only: str = "") -> None:
    """Run the platform's tests.

    Args:
        only: A folder or file of tests, or one test as pytest writes it (default: all).
    """
    raise Exit(code=_tool("pytest", *([only] if only else [])))


@task
def lint(_c: Context, fix: bool = False) -> None:
    """Check style, types and the layers of the platform's code.

    Args:
        fix: Mend what can be mended without thinking.
    """
    style = ("check", "--fix") if fix else ("check",)
    form = ("format",) if fix else ("format", "--check")
    # All of them, so that one run shows everything that is wrong.
    codes = [_tool("ruff", *style), _tool("ruff", *form), _tool("mypy"), _tool("lint-imports")]
    raise Exit(code=max(codes))


def _tool(name: str, *arguments: str) -> int:
    """Run a development tool of this environment in the checkout; return 1 if it found something."""
    import sys
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.errors import InputError
    from the_sink.local.process import show

    root = load_platform(Path.cwd()).root
    program = Path(sys.executable).parent / name
    if not program.exists():
        raise InputError(
            f"{name} is not installed beside this Python.",
            f"{sys.executable} -m pip install -r requirements.lock",
        )
    return 1 if show([str(program), *arguments], root) else 0
