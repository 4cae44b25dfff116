"""What gunicorn serves for an app of the legacy platform: its pages, and its service under a prefix.

Runs in the app's own environment, with Flask and Werkzeug of the app's choice. The service answers below
``/<FLASK_APP>``, ``/api`` usually, and sees the rest of the path; everything else is the built client,
whose routes live in the browser, so that a path without a file is its index.html. The load balancer's
``/health`` is answered here: these apps know of none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

CLIENT_VARIABLE = "SINK_CLIENT"
"""The folder of the built client; need not exist."""

_INDEX = "index.html"


def make_application() -> Application:
    """Load the app as its own `flask` command would, and return it behind the front."""
    from flask.cli import ScriptInfo

    name = os.environ["FLASK_APP"]
    # The app's own configuration says whether it debugs.
    service = ScriptInfo(app_import_path=name, set_debug_flag=False).load_app()
    return Front(service, f"/{name}", Path(os.environ[CLIENT_VARIABLE]))


class Front:
    """A WSGI application.

    Args:
        service: Gets what lies below ``prefix``.
        prefix: With a slash before it and none behind it.
        client: The folder of the built client; need not exist.
    """

    def __init__(self, service: Application, prefix: str, client: Path) -> None:
        self._service = service
        self._prefix = prefix
        self._client = client

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        from werkzeug.wrappers import Response

        path = str(environ.get("PATH_INFO", ""))
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            return self._service(self._below_prefix(environ, path), start_response)
        if path == "/health":
            return Response("ok\n", mimetype="text/plain")(environ, start_response)
        return self._page(environ, path)(environ, start_response)

    def _below_prefix(self, environ: Environ, path: str) -> Environ:
        """Return the request as the service sees it.

        Such apps trust one proxy for these headers. The load balancer sets neither, so what arrives in
        them comes from a caller; the prefix is ours to tell.
        """
        told = {**environ, "PATH_INFO": path[len(self._prefix) :] or "/"}
        told["SCRIPT_NAME"] = told["HTTP_X_FORWARDED_PREFIX"] = self._prefix
        told.pop("HTTP_X_FORWARDED_HOST", None)
        return told

    def _page(self, environ: Environ, path: str) -> Any:
        from werkzeug.exceptions import MethodNotAllowed, NotFound
        from werkzeug.security import safe_join
        from werkzeug.utils import send_file

        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return MethodNotAllowed(["GET", "HEAD"])
        found = safe_join(str(self._client), path.lstrip("/") or _INDEX)
        file = Path(found) if found else None
        if file is None or not file.is_file():
            # A name with a dot is a file's, and this one is missing.
            if file is None or PurePosixPath(path).suffix or not (self._client / _INDEX).is_file():
                return NotFound()
            file = self._client / _INDEX
        # The build gives every other file a name of its own by its content; the index keeps its name.
        age_s = 0 if file.name == _INDEX else 3600
        return send_file(file, environ, conditional=True, max_age=age_s)
