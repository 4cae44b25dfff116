"""app-init: install an app into its image, in two steps that are two layers.

    app-init dependencies   requirements.lock into the virtual environment, every file checked by its hash
    app-init app            the Procfile can be read, every source compiles
    app-init                both

The app itself is not installed: container-init puts its `src/` on PYTHONPATH. An app of the legacy
platform is installed in its own way: sink_runtime/legacy.
"""

from __future__ import annotations

import compileall
import os
from collections.abc import Sequence
from functools import partial

from sink_runtime.layout import Layout, Refusal, read_layout, run, say
from sink_runtime.legacy import install as legacy
from sink_runtime.legacy.layout import find_legacy
from sink_runtime.procfile import PROCESSES, read_procfile
from sink_runtime.sources import say_what_does_not_compile
from sink_runtime.uv import Uv

LOCK = "requirements.lock"
_COMPILED_ALONE = 200
"""Up to so many sources one process compiles."""


def main(arguments: Sequence[str]) -> int:
    """Run app-init and return its exit code."""
    return run(_main, arguments)


def _main(arguments: Sequence[str]) -> int:
    layout = read_layout(os.environ)
    if list(arguments) not in ([], ["dependencies"], ["app"]):
        raise Refusal(f"{' '.join(arguments)!r} is not understood: write app-init [dependencies|app].")
    app = find_legacy(layout)
    install = partial(legacy.install_dependencies, app) if app else partial(install_dependencies, layout)
    prepare = partial(legacy.prepare, app) if app else partial(prepare_app, layout)
    steps = {"dependencies": install, "app": prepare}
    return steps[arguments[0]]() if arguments else install() or prepare()


def install_dependencies(layout: Layout) -> int:
    """Make the virtual environment anew with exactly what the lock names."""
    lock = layout.app / LOCK
    if not lock.is_file():
        raise Refusal(f"{lock} is missing: COPY it before RUN app-init dependencies.")
    uv = Uv(layout.venv, layout.is_image, os.environ)
    return uv.make() or uv.install(LOCK, "--require-hashes", "--requirement", str(lock))


def prepare_app(layout: Layout) -> int:
    """See that the app can start: a Procfile, sources that this Python compiles."""
    for name in sorted(read_procfile(layout.app / "Procfile").keys() - PROCESSES):
        # Of a misspelt `release` it is the only sign in the build.
        say(f"Procfile: every task runs {name!r} beside web.")
    if not layout.src.is_dir():
        raise Refusal(f"{layout.src} is missing: the app's packages are expected there.")
    python = layout.venv / "bin" / "python"
    if not python.exists():
        raise Refusal(f"{layout.venv} is missing: RUN app-init dependencies first.")
    # In this process: the environment is made of the Python that runs it. Several processes take longer to
    # start than an app of usual size takes to compile.
    is_large = sum(1 for _ in layout.src.rglob("*.py")) > _COMPILED_ALONE
    if not compileall.compile_dir(layout.src, quiet=2, workers=0 if is_large else 1):
        say_what_does_not_compile(layout.src)
        return 1
    return 0
