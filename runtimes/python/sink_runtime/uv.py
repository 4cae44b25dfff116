"""uv as app-init uses it: an app's virtual environment, made anew, and what is installed into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sink_runtime.layout import Refusal, say

_DOWNLOADS = "8"
"""At once. uv's own 50 connections ask for the index's address at one moment, and a question that is lost is
asked again after five seconds: on one network in 8 of 25 installations, with these in none of 25.
https://docs.astral.sh/uv/reference/environment/#uv_concurrent_downloads
"""


@dataclass(frozen=True)
class Uv:
    """uv for one virtual environment; its output goes where app-init's goes."""

    venv: Path
    is_image: bool
    """Whether what is installed becomes a layer of an image."""
    environ: Mapping[str, str]

    def make(self) -> int:
        """Make the environment anew, of the Python that runs this; return an exit code.

        Raises:
            Refusal: there is no uv.
        """
        options = ("--quiet", "--clear", "--no-python-downloads", "--python", sys.executable)
        return self._run("be made", str(self.venv), "venv", *options, str(self.venv))

    def install(self, name: str, *arguments: str, given: str = "") -> int:
        """Install what the arguments of ``uv pip install`` say; return an exit code.

        Args:
            name: What a message calls it by.
            arguments: Options and requirements.
            given: What uv reads where an argument is ``-``.

        Raises:
            Refusal: there is no uv.
        """
        options = ["--python", str(self.venv / "bin" / "python")]
        if self.is_image:
            # Nobody reads the cache of a layer again, and a task must not compile at every start.
            # Files are linked out of the temporary cache, which is on the same file system and goes away.
            options += ["--no-cache", "--link-mode", "hardlink", "--compile-bytecode"]
        return self._run("be installed", name, "pip", "install", *options, *arguments, given=given)

    def _run(self, aim: str, name: str, *arguments: str, given: str = "") -> int:
        uv = shutil.which("uv")
        if uv is None:
            raise Refusal("uv is not on the PATH: the runtime image brings it.")
        environ = {"UV_CONCURRENT_DOWNLOADS": _DOWNLOADS, **self.environ}
        code = subprocess.run([uv, *arguments], env=environ, input=given.encode(), check=False).returncode
        if code == 0:
            return 0
        say(f"{name} could not {aim}: uv ended with exit code {code}, its reason is above.")
        return 1
