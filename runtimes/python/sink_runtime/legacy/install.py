"""app-init for an app of the legacy platform.

Its dependencies are what `pip install app/server` would install, or what a requirements.lock beside its
pyproject.toml says; as elsewhere the app itself is not installed, because its files belong to root while
app-init runs as the app's user.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from sink_runtime.layout import Refusal
from sink_runtime.legacy.layout import LegacyApp
from sink_runtime.sources import say_what_does_not_compile
from sink_runtime.uv import Uv

# Runs the programs of aws/services/supervisor/conf; an app's own choice of version stays.
SUPERVISOR = (
    "supervisor==4.3.0 --hash=sha256:0bcb763fddafba410f35cbde226aa7f8514b9fb82eb05a0c85f6588d1c13f8db"
)


LOCK = "requirements.lock"


def optimized(environ: dict[str, str]) -> dict[str, str]:
    """Return an environment in which Python leaves assertions out, unless it says otherwise.

    That is how such apps run, from their dependencies' compiled files on.
    """
    return {"PYTHONOPTIMIZE": "1", **environ}


def install_dependencies(app: LegacyApp) -> int:
    """Make the virtual environment anew with what the app's server names, and see that it can be served."""
    declared = _declared(app.server)
    uv = Uv(app.venv, app.is_image, optimized(dict(os.environ)))
    exactly = ["--require-hashes"] if declared.name == LOCK else []
    code = uv.make() or uv.install(declared.name, *exactly, "--requirement", str(declared))
    if code:
        return code
    for program in ("gunicorn", "flask"):
        if not (app.venv / "bin" / program).exists():
            raise Refusal(f"{declared} does not name {program}, with which the service is served: add it.")
    if (app.venv / "bin" / "supervisord").exists():
        return 0
    exactly = ["--quiet", "--require-hashes", "--requirement", "-"]
    return uv.install("supervisor", *exactly, given=SUPERVISOR)


def prepare(app: LegacyApp) -> int:
    """See that every source compiles; the files are root's, so nothing is written beside them."""
    with tempfile.TemporaryDirectory() as cache:
        python = [str(app.venv / "bin" / "python"), "-X", f"pycache_prefix={cache}"]
        compile_all = [*python, "-m", "compileall", "-qq", "-j", "0", str(app.sources)]
        if subprocess.run(compile_all, check=False).returncode:
            say_what_does_not_compile(app.sources)
            return 1
    return 0


def _declared(server: Path) -> Path:
    """Return the file that names the dependencies."""
    if (server / LOCK).is_file():
        return server / LOCK
    project, requirements = server / "pyproject.toml", server / "requirements.txt"
    text = project.read_text("utf-8", "replace") if project.is_file() else ""
    if re.search(r"^\s*\[project\]", text, re.MULTILINE):  # Python 3.10 has no reader of TOML
        return project
    if requirements.is_file():
        return requirements
    raise Refusal(f"{server} has neither a pyproject.toml with [project] nor a requirements.txt.")
