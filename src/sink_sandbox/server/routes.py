"""The paths that the server answers, and what a request for each must show.

A path without a route cannot be served: every route says what it asks, and the last of them takes what is
left for AWS's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sink_sandbox.authentication.guard import Asks


@dataclass(frozen=True)
class Route:
    """Paths that begin alike."""

    pattern: str
    """A regular expression for the beginning of a path."""
    asks: Asks
    is_closed: bool = False
    """Nobody is answered, whoever signs."""


ROUTES = (
    Route(r"/_sandbox/", Asks.ROOT),
    # The emulator's own: its health, its state, its switches, pages that hand out what was sent.
    Route(r"/_", Asks.SIGNATURE, is_closed=True),
    Route(r"/health$", Asks.SIGNATURE, is_closed=True),
    # An instance's metadata service gives keys to whoever asks; there are no instances here.
    Route(r"/latest/", Asks.SIGNATURE, is_closed=True),
    Route(r"/v2/credentials(/|$)", Asks.SIGNATURE, is_closed=True),
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
    Route(r"/v4/", Asks.TASK),
    # https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
    Route(r"/v2/?$", Asks.REGISTRY),
    Route(r"/v2/_catalog$", Asks.REGISTRY),
    Route(r"/v2/(?!email/).*(/blobs/|/manifests/|/tags/list$)", Asks.REGISTRY),
    Route(r"", Asks.SIGNATURE),
)
"""The first that matches holds."""


def find_route(path: str) -> Route:
    """Return the route of a path, which is not percent-encoded."""
    return next(route for route in ROUTES if re.match(route.pattern, path, re.IGNORECASE))
