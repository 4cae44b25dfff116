"""How long the service keeps an idle connection, held against how long the load balancer does.

Where the service closes it first, the load balancer may send a request down it at that moment, and its caller
gets a 502, now and then: so the service's time must be the longer one.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
"""

from __future__ import annotations

import re

from the_sink.checks.effective import Effective
from the_sink.config import procfile
from the_sink.config.files import Files
from the_sink.config.problems import Problem

IDLE_TIMEOUT = "EcsAlbIdleTimeout"

DEFAULT_S = 75
"""What the template's servers and the runtime's own are started with, where no file says otherwise."""

# The flags of uvicorn and gunicorn, then gunicorn's setting; a flag wins.
_SAID = {
    procfile.FILE: re.compile(r"^web:.*--(?:timeout-)?keep-alive[= ]+(\d+)", re.MULTILINE),
    "app/gunicorn.conf.py": re.compile(r"^keepalive\s*=\s*(\d+)", re.MULTILINE),
    "app/server/gunicorn.conf.py": re.compile(r"^keepalive\s*=\s*(\d+)", re.MULTILINE),
}


def check_idle_timeout(files: Files, idle: Effective | None) -> list[Problem]:
    """Warn of a load balancer that keeps idle connections at least as long as the service.

    Args:
        files: The app's.
        idle: What ``EcsAlbIdleTimeout`` comes to, None where the files do not tell.
    """
    if idle is None or not (idle.value.isascii() and idle.value.isdigit()):
        return []
    kept_s = _kept_s(files)
    if int(idle.value) < kept_s:
        return []
    message = (
        f"{IDLE_TIMEOUT} is {idle.value}, and the service closes idle connections after {kept_s} seconds: a "
        "request that comes down one at that moment ends in a 502."
    )
    hint = (
        f"Write less than {kept_s}, or let the service keep them for longer: --timeout-keep-alive in "
        f"{procfile.FILE}, or keepalive in app/gunicorn.conf.py."
    )
    return [Problem(idle.file, message, hint, is_warning=True)]


def _kept_s(files: Files) -> int:
    for file, said in _SAID.items():
        match = said.search(files.read(file)[0])
        if match:
            return int(match[1])
    return DEFAULT_S
