"""The one place that touches ministack's internals.

ministack is the emulator of AWS that the sandbox embeds; it has no extension interface, so what is added
or corrected reaches into its modules. Everything that does so lives in this package, one module a
service, ``tests/sandbox/internals.py`` names each internal, and ``test_emulator_contract.py`` beside it
fails when ministack changes one. The rest of the sandbox talks to the server through boto3, as any client
does.

``configure`` comes first: ministack reads its settings when it is imported.
"""

from __future__ import annotations

import os
from pathlib import Path

REGION = "eu-west-1"
"""For what carries no region of its own, for example an anonymous request."""


def services_dir(state_dir: Path) -> Path:
    """Return where the state of the emulated services lies, a file a service."""
    return state_dir / "state"


def configure(state_dir: Path, port: int) -> None:
    """Set what ministack reads from the environment when it is imported."""
    os.environ.update(
        {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(services_dir(state_dir)),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state_dir / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": os.environ.get("THE_SINK_SANDBOX_LOG", "WARNING"),
            # An engine's containers are none of its business yet: tasks are processes, and ministack
            # would remove containers that it takes for its own left-overs.
            "DOCKER_HOST": f"unix://{state_dir / 'no-docker.sock'}",
        }
    )
