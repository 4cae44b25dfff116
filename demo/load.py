"""A steady load on one address: what a rollout must not be noticed by.

Requests leave at their appointed times whether or not earlier ones were answered, each over a connection
of its own, and each time counts from the appointed moment: a server that stalls can't make the load wait
for it and so hide the stall. ``invoke demo``, the end-to-end tests and ``bench/rollout.py`` share it.
"""

from __future__ import annotations

import http.client
import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

WORKERS = 64
"""Requests at a time. Fifty a second need one or two; this many are needed when each takes a second."""


@dataclass(frozen=True)
class LoadResult:
    """What a load saw.

    Attributes:
        sent: Requests that left.
        failed: Those that were not answered with status 200, for whatever reason.
        errors: How often each reason occurred.
        by_answer: How often each body came with status 200.
        times_s: How long each request took from its appointed time, failed ones included; sorted.
        duration_s: From the first request's time until the load was stopped.
    """

    sent: int
    failed: int
    errors: Mapping[str, int]
    by_answer: Mapping[str, int]
    times_s: tuple[float, ...]
    duration_s: float

    def percentile_s(self, percent: float) -> float:
        """Return the time within which ``percent`` of all requests were done, 0.0 where none was sent."""
        if not self.times_s:
            return 0.0
        return self.times_s[max(0, math.ceil(len(self.times_s) * percent / 100) - 1)]


class Load:
    """Sends ``GET address`` at a steady rate from :meth:`start` until :meth:`stop`.

    As a context manager it starts and stops itself, and :meth:`stop` may be called inside for the result.

    Args:
        address: An ``http://`` address on this machine; ``*.localhost`` names reach 127.0.0.1 whatever
            the resolver says (RFC 6761, 6.3), with the name in the Host header.
        rate_per_s: Requests a second.
        timeout_s: When a request that is not answered counts as failed.
    """

    def __init__(self, address: str, *, rate_per_s: float = 50.0, timeout_s: float = 10.0) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.netloc, parts.port or 80
        self._path = parts.path or "/"
        self._interval_s = 1 / rate_per_s
        self._timeout_s = timeout_s
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="load")
        self._sender = threading.Thread(target=self._send_all, name="load", daemon=True)
        self._requests: list[Future[tuple[str, str, float]]] = []
        self._began = 0.0
        self._result: LoadResult | None = None

    def start(self) -> Load:
        """Begin; returns at once."""
        self._began = time.monotonic()
        self._sender.start()
        return self

    @property
    def sent(self) -> int:
        """How many requests have left so far."""
        return len(self._requests)

    def stop(self) -> LoadResult:
        """Send nothing more, wait for the answers that are due, and say what was seen."""
        if self._result is None:
            self._ended.set()
            self._sender.join()
            duration_s = time.monotonic() - self._began
            self._pool.shutdown(wait=True)
            self._result = _summary([each.result() for each in self._requests], duration_s)
        return self._result

    def __enter__(self) -> Load:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _send_all(self) -> None:
        due = self._began
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self._requests.append(self._pool.submit(self._send, due))
            due += self._interval_s

    def _send(self, due: float) -> tuple[str, str, float]:
        """Return what went wrong ("" for nothing), the body and the seconds since ``due``."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout_s)
        try:
            connection.request("GET", self._path, headers={"Host": self._host, "Connection": "close"})
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
            problem = "" if response.status == http.HTTPStatus.OK else f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            body, problem = "", f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        return problem, body, time.monotonic() - due


def _summary(answers: list[tuple[str, str, float]], duration_s: float) -> LoadResult:
    errors = Counter(problem for problem, _, _ in answers if problem)
    return LoadResult(
        sent=len(answers),
        failed=errors.total(),
        errors=dict(errors),
        by_answer=dict(Counter(body for problem, body, _ in answers if not problem)),
        times_s=tuple(sorted(seconds for _, _, seconds in answers)),
        duration_s=duration_s,
    )
