"""container-init health: ask the app as the load balancer does, from inside its container."""

from __future__ import annotations

import http.client
from collections.abc import Mapping

from sink_runtime.layout import ANY_HOSTS, DEFAULTS

PATH = "/health"
TIMEOUT_S = 4.0
"""Below the five seconds that the load balancer and the image's HEALTHCHECK give."""


def probe(environ: Mapping[str, str]) -> tuple[int, str]:
    """Return 0 or 1, and in one sentence what the app answers."""
    host = environ.get("HOST") or DEFAULTS["HOST"]
    port = environ.get("PORT") or DEFAULTS["PORT"]
    host = "127.0.0.1" if host in ANY_HOSTS else host
    url = f"http://{host}:{port}{PATH}"
    try:
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    except ValueError:
        return 1, f"PORT is {port!r}, which is no port."
    try:
        connection.request("GET", PATH, headers={"Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return 1, f"{url} does not answer within {TIMEOUT_S:g} s."
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return 1, f"{url} does not answer: {reason}."
    finally:
        connection.close()
    return (0 if status == http.HTTPStatus.OK else 1), f"{url} answers with status {status}."
