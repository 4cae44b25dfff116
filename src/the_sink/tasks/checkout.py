"""``invoke test``, ``lint``, ``bench``, ``docs`` and ``lock`` of the platform's own repository.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from the_sink.tasks.decorator import task

LINT = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",), ("lint-imports",))
"""What `lint` runs, and what .pre-commit-config.yaml runs before a commit."""

MEND = (("ruff", "check", "--fix"), ("ruff", "format"), ("mypy",), ("lint-imports",))


@task
def test(_c: Context, only: str = "", docker: bool = False, long: bool = False) -> None:
    """Run the platform's tests.

    Args:
        docker: Those that need a Docker Engine, and no others.
        long: Those that .ci/run runs beside the default ones, because they take long, and no others.
        only: A folder or file of tests, or one test as pytest writes it (default: all).
    """
    if only:
        raise Exit(code=_tool("pytest", "-m", "", only))
    chosen = [name for name, is_chosen in (("docker", docker), ("long", long)) if is_chosen]
    # pyproject.toml keeps tests/docker out of what lies below tests.
    folders = ["tests/docker"] if chosen == ["docker"] else ["tests"]
    if docker and long:
        folders = ["--override-ini", "norecursedirs=.*", "tests"]
    # A module's tests stay in one process: they share its sandbox, and a journey's steps their order. Three
    # for two cores, because much of the time is a wait for a health check.
    spread = ["-n", "3", "--dist", "loadscope"]
    raise Exit(code=_tool("pytest", *spread, "-m", " or ".join(chosen) or "not long", *folders))


@task
def lint(_c: Context, fix: bool = False) -> None:
    """Check style, types and the layers of the platform's code.

    Args:
        fix: Mend what can be mended without thinking.
    """
    # All of them, so that one run shows everything that is wrong.
    raise Exit(code=max([_tool(*command) for command in (MEND if fix else LINT)]))


@task
def scan(_c: Context) -> None:
    """Look for what is insecure in templates, Dockerfiles and workflows, an app's among them."""
    raise Exit(code=_tool("pytest", "--quiet", "--tb=short", "tests/scan"))


@task
def bench(_c: Context, only: str = "") -> None:
    """Measure speed, each figure as a ratio against a baseline of the same run.

    Args:
        only: One bench, by its file's name without .py (default: all).
    """
    import sys
    from pathlib import Path

    from sink_host.process import show
    from the_sink.config import load_platform
    from the_sink.errors import InputError
    from the_sink.report import lines

    root = load_platform(Path.cwd()).root
    found = sorted((root / "bench").glob("*.py"))
    chosen = [file for file in found if not only or file.stem == only]
    if not chosen:
        raise InputError(
            f"There is no bench {only!r}.", f"Choose one of: {', '.join(file.stem for file in found)}."
        )
    broken = []
    for file in chosen:
        lines.say(f"bench/{file.name}")
        if show([sys.executable, str(file)], root):
            broken.append(file.stem)
    if broken:
        lines.say(f"Out of bounds: {', '.join(broken)}.")
    raise Exit(code=int(bool(broken)))


@task
def docs(_c: Context, check: bool = False) -> None:
    """Write the reference pages in docs/reference/ from what they describe.

    Args:
        check: Write nothing, and fail if a page is behind.
    """
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.errors import SinkError
    from the_sink.report import lines
    from the_sink.tasks.reference import render_pages

    root = load_platform(Path.cwd()).root
    pages = {root / "docs" / "reference" / name: page for name, page in render_pages(root).items()}
    behind = [
        path for path, page in pages.items() if not path.is_file() or path.read_text(encoding="utf-8") != page
    ]
    names = ", ".join(str(path.relative_to(root)) for path in behind)
    if check and behind:
        raise SinkError(f"Behind what they describe: {names}.", "Write them: invoke docs.")
    for path in behind:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], encoding="utf-8")
    lines.data(f"Written: {names}" if behind else "Every reference page says what is there.")


@task
def lock(_c: Context, upgrade: bool = False, dry_run: bool = False) -> None:
    """Resolve the template's locked dependencies again, and show what changes.

    Args:
        upgrade: Take the newest versions that the template allows, not those that are locked; of the tools it
            takes what requirements.lock has.
        dry_run: Show what would change, and write nothing.
    """
    from pathlib import Path

    from sink_host.process import uninterrupted
    from the_sink.config import load_platform
    from the_sink.local import tools_lock
    from the_sink.local.template_locks import resolve_template_locks
    from the_sink.report import lines

    root = load_platform(Path.cwd()).root
    resolved = resolve_template_locks(root, upgrade=upgrade)
    resolved[root / tools_lock.FILE] = tools_lock.resolve_tools_lock(root)
    if not dry_run:
        with uninterrupted():  # what is tested is what is deployed: each two of them belong together
            for path, (content, _) in resolved.items():
                path.write_text(content, encoding="utf-8")
    for path, (_, changes) in resolved.items():
        what = f"{len(changes)} changed" if changes else "nothing changes"
        lines.data(f"{path.relative_to(root)}: {what}")
        for change in changes:
            lines.data(f"  {change}")


def _tool(name: str, *arguments: str) -> int:
    """Run a development tool of this environment in the checkout; return 1 if it found something."""
    import sys
    from pathlib import Path

    from sink_host.process import show
    from the_sink.config import load_platform
    from the_sink.errors import InputError

    root = load_platform(Path.cwd()).root
    program = Path(sys.executable).parent / name
    if not program.exists():
        raise InputError(
            f"{name} is not installed beside this Python.",
            f"{sys.executable} -m pip install -r requirements.lock",
        )
    return 1 if show([str(program), *arguments], root) else 0
