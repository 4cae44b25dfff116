"""Logs as JSON, one object a line, each with the id of the request that it belongs to.

CloudWatch Logs Insights finds the fields of such lines by itself. A caller's x-request-id is taken over,
so that one id can be followed through several services; every response carries it.
"""

import json
import logging
import re
import time
import uuid
from contextvars import ContextVar
from logging.config import dictConfig
from typing import Any

from flask import Flask, Response, g, request

request_id: ContextVar[str] = ContextVar("request_id", default="")
logger = logging.getLogger(__name__)

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What is taken over from a caller; anything else could forge a log line or a header."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; what a call gave as `extra` becomes fields."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            fields["request_id"] = request_id.get()
        fields.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def configure_logging(level: str) -> None:
    """Send every log line of the process, the server's included, to standard error as JSON."""
    dictConfig(logging_config(level))


def logging_config(level: str) -> dict[str, Any]:
    """Return that configuration; gunicorn.conf.py uses it too, for what the server says by itself."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        # The server sets up handlers of its own. Its access log would say again, without the fields,
        # what log_requests says.
        "loggers": {
            "gunicorn.error": {"handlers": [], "propagate": True},
            "gunicorn.access": {"handlers": [], "propagate": False},
        },
    }


def log_requests(app: Flask) -> None:
    """Give each request an id, and log one line about it."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("x-request-id", "")
        request_id.set(given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex)
        g.began = time.perf_counter()

    @app.after_request
    def log(response: Response) -> Response:
        response.headers["x-request-id"] = request_id.get()
        _log_request(response.status_code, (time.perf_counter() - g.began) * 1000)
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        request_id.set("")


def _log_request(status: int, duration_ms: float) -> None:
    # The load balancer asks for /health every few seconds: nobody wants to read that.
    level = logging.DEBUG if request.path == "/health" and status == 200 else logging.INFO
    logger.log(
        level,
        "%s %s %s",
        request.method,
        request.path,
        status,
        extra={
            "method": request.method,
            "path": request.path,
            "status": status,
            "duration_ms": round(duration_ms, 1),
        },
    )
