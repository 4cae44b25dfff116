"""A build host that has just been made: a second Docker Engine, with nothing in it.

CodeBuild gives each build such a host. The machine's own engine cannot play one: its build cache is shared
with everybody who builds here, and emptying that would be felt by all of them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sink_host.docker_engine import EngineUnavailable, FoundEngine, find_engine

_START_S = 60


def why_not() -> str:
    """Return why no second engine can be started here, or ""."""
    if shutil.which("dockerd") is None:
        return "there is no dockerd on the PATH"
    if shutil.which("ip") is None:
        return "there is no ip (iproute2) on the PATH"
    return "" if os.geteuid() == 0 else "dockerd needs root"


@contextmanager
def fresh_engine(first: FoundEngine, parent: Path | None = None) -> Iterator[FoundEngine]:
    """Start an engine, yield it with the same ``docker`` command as the machine's own, and remove it whole.

    What it keeps lies in a folder of its own, in that for temporary files or in another one.
    Builds use this machine's network. It has a bridge of its own, which nothing uses: an engine that is told
    to have none removes ``docker0``, and that is the machine's own engine's.
    """
    folder = Path(tempfile.mkdtemp(prefix="sink-host-", dir=parent))
    bridge = f"sink{secrets.token_hex(4)}"  # an interface's name ends at 15 characters
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    host = f"unix://{folder}/docker.sock"
    namespace = bridge  # containerd takes no name like that of the folder, which may hold "-_"
    (folder / "daemon.json").write_text("{}")
    command = [
        *("dockerd", "--host", host, "--config-file", str(folder / "daemon.json")),
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("--pidfile", str(folder / "pid")),
        # Where the system's containerd runs it would be shared, so nothing in it may have the same name.
        *("--containerd-namespace", namespace, "--containerd-plugins-namespace", f"{namespace}-plugins"),
        *("--bridge", bridge, "--iptables=false", "--ip6tables=false"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield replace(first, host=host, version=_await(process, host, folder / "log"))
    finally:
        process.terminate()
        process.wait(timeout=_START_S)
        # A network that a container has used stays mounted below the engine's folder.
        for mount in reversed(Path("/proc/mounts").read_text().splitlines()):
            if mount.split()[1].startswith(f"{folder}/"):
                subprocess.run(["umount", mount.split()[1]], check=True)
        subprocess.run(["ip", "link", "delete", bridge], check=True)
        shutil.rmtree(folder)


def _await(process: subprocess.Popen[bytes], host: str, log: Path) -> str:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            return find_engine({**os.environ, "DOCKER_HOST": host}).version
        except EngineUnavailable as error:
            words = log.read_text(errors="replace").splitlines()[-3:]
            assert process.poll() is None, words
            assert time.monotonic() < deadline, (error.message, words)
            time.sleep(0.1)
