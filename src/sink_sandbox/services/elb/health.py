"""Health checks of a target group, made for real, at a laptop's pace.

The path, the matcher and the thresholds are the target group's; its interval is shortened, because it is
sized for a fleet: a service that would take half a minute to be trusted here takes less than one second.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_FIRST_INTERVAL_S = 0.1
_LATER_INTERVAL_S = 2.0
_WRONG_ANSWERS_S = 3.0
"""How long a task may answer wrongly before its grace period is cut short.

The grace period is for tasks that still migrate or warm up: they do not answer at all, or with 503. One that
answers with another error has booted, and waiting minutes for each of the three failures that a deployment
takes would teach nobody anything.
"""

_NOT_YET = "[503]"
"""A task that is "currently unable to handle the request", but will be "after some delay".

https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4
"""

SHORTCUT = (
    f"a task that answers its health check with an error other than 503 is stopped {_WRONG_ANSWERS_S:.0f} s "
    "later, whatever is left of its grace period"
)
"""What differs from AWS, for who looks at the sandbox."""

_SHOWN_UNHEALTHY_S = 10.0
"""How long a new target is ``initial`` at most, where a fleet's load balancer would ask for longer."""

_WRONG_SHOWN_S = 1.0
"""The same of one that answers wrongly: it is stopped so soon that who watches would never see it."""


@dataclass(frozen=True)
class Place:
    """Where a target listens here, what it is called on AWS, and the address that asks it ("" for any)."""

    address: tuple[str, int]
    host: str
    source: str = ""


Resolve = Callable[[], Place | None]


@dataclass(frozen=True)
class HealthCheck:
    """How a target group checks its targets."""

    path: str
    interval_s: float
    timeout_s: float
    healthy_threshold: int
    unhealthy_threshold: int
    codes: frozenset[int]
    grace_s: float

    @classmethod
    def of(cls, target_group: Mapping[str, Any], grace_s: float) -> HealthCheck:
        """Return the check that a target group's record describes."""
        return cls(
            path=target_group.get("HealthCheckPath") or "/",
            interval_s=float(target_group.get("HealthCheckIntervalSeconds") or 30),
            timeout_s=float(target_group.get("HealthCheckTimeoutSeconds") or 5),
            healthy_threshold=int(target_group.get("HealthyThresholdCount") or 5),
            unhealthy_threshold=int(target_group.get("UnhealthyThresholdCount") or 2),
            codes=parse_codes(str((target_group.get("Matcher") or {}).get("HttpCode") or "200")),
            grace_s=grace_s,
        )


def parse_codes(matcher: str) -> frozenset[int]:
    """Return the status codes that ``200``, ``200,202`` or ``200-299`` mean."""
    codes: set[int] = set()
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        codes.update(range(int(first), int(last or first) + 1))
    return frozenset(codes)


def probe(place: Place | None, check: HealthCheck) -> str:
    """Return "" if the target answers as it should, else why not, in AWS's words.

    The check names the target by its own private address and port, which is all that a load balancer knows of
    it: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
    """
    if place is None:
        return "Target is not running"
    source = (place.source, 0) if place.source else None
    connection = http.client.HTTPConnection(*place.address, timeout=check.timeout_s, source_address=source)
    headers = {"Host": place.host, "User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"}
    try:
        connection.request("GET", check.path, headers=headers)
        status = connection.getresponse().status
    except TimeoutError:
        return "Request timed out"
    except (OSError, http.client.HTTPException):
        return "Health checks failed"
    finally:
        connection.close()
    return "" if status in check.codes else f"Health checks failed with these codes: [{status}]"


def await_healthy(
    resolve: Resolve,
    check: HealthCheck,
    is_wanted: Callable[[], bool],
    observe: Callable[[str], None],
) -> str:
    """Probe a new target until it is healthy; returns "", or why it never will be.

    Args:
        resolve: Where the target listens now.
        check: The target group's check.
        is_wanted: False ends the wait, with "".
        observe: Hears why the load balancer calls the target unhealthy, as soon as it does: its checks know
            nothing of the grace period, which is the service's.
    """
    interval_s = min(check.interval_s, _FIRST_INTERVAL_S)
    began = time.monotonic()
    grace_ends = began + check.grace_s
    shown_unhealthy = began + min(check.interval_s * check.unhealthy_threshold, _SHOWN_UNHEALTHY_S)
    wrong_since: float | None = None
    error_since: float | None = None
    good = bad = 0
    while is_wanted():
        reason = probe(resolve(), check)
        now = time.monotonic()
        if not reason:
            good, bad, wrong_since, error_since = good + 1, 0, None, None
            if good >= check.healthy_threshold:
                return ""
        else:
            good = 0
            answered = "codes" in reason
            wrong_since = (wrong_since or now) if answered else None
            error_since = (error_since or now) if answered and not reason.endswith(_NOT_YET) else None
            if now >= shown_unhealthy or (wrong_since is not None and now - wrong_since > _WRONG_SHOWN_S):
                observe(reason)
            if now > grace_ends or (error_since is not None and now - error_since > _WRONG_ANSWERS_S):
                bad += 1
            if bad >= check.unhealthy_threshold:
                return reason
        time.sleep(interval_s)
    return ""


def await_unhealthy(
    resolve: Resolve, check: HealthCheck, is_wanted: Callable[[], bool], ended: threading.Event
) -> str:
    """Probe a healthy target until it fails; returns why, or "" when nobody wants to know any more."""
    interval_s = min(check.interval_s, _LATER_INTERVAL_S)
    bad = 0
    while not ended.wait(interval_s) and is_wanted():
        reason = probe(resolve(), check)
        bad = bad + 1 if reason else 0
        if bad >= check.unhealthy_threshold and is_wanted():
            return reason
    return ""
