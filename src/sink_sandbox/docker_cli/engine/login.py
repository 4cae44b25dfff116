"""Where the real ``docker`` finds the token of the sandbox's registry.

https://docs.docker.com/reference/cli/docker/login/#credential-stores: without a store it reads ``auths``.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from sink_sandbox.authentication.registry_token import USER
from sink_sandbox.containers.locks import exclusive, write_atomically


def write_login(folder: Path, registry: str, token: str) -> None:
    """Note the token for a registry in the configuration ``folder``, or remove it, with ""."""
    file = folder / "config.json"
    with exclusive(file.with_suffix(".lock")):
        try:
            settings: dict[str, Any] = json.loads(file.read_bytes())
        except (OSError, ValueError):
            settings = {}
        known = {name: kept for name, kept in settings.get("auths", {}).items() if name != registry}
        if token:
            known[registry] = {"auth": base64.b64encode(f"{USER}:{token}".encode()).decode()}
        content = json.dumps({**settings, "auths": known}, indent=2).encode()
        write_atomically(file, content, mode=0o600)
