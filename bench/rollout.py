"""What a rollout costs those who use the service: 50 requests a second before it and through it.

Bound: none is lost. Times are given as ratios to those of the same service just before, in the same run;
on a machine with two cores a build beside it slows every answer, so they are printed and not bounded.
"""

from __future__ import annotations

import json
import time

from pipeline import deployed, measurable

from demo.load import Load, LoadResult

RATE = 50
QUIET_SECONDS = 10


def before(address: str) -> LoadResult:
    """Ask for as long as it takes to know how the service answers when nothing happens."""
    with Load(address, rate_per_s=RATE) as load:
        time.sleep(QUIET_SECONDS)
        return load.stop()


def main() -> int:
    """Print lost requests and times; 1 if one was lost."""
    lost = 0
    for compute in measurable():
        with deployed(compute) as (walk, _clients):
            address = f"{walk.url('stage')}/version"
            quiet = before(address)
            walk.change(1)
            with Load(address, rate_per_s=RATE) as load:
                walk.deploy("stage")
                rolled = load.stop()
        answered = {json.loads(body)["commit"][:8]: count for body, count in rolled.by_answer.items()}
        assert len(answered) == 2, f"one release answered alone: {answered}"
        lost += quiet.failed + rolled.failed
        print(f"{compute}: before the rollout {quiet.sent} requests, {quiet.failed} lost")
        print(
            f"{compute}: through the rollout {rolled.sent} requests, {rolled.failed} lost",
            rolled.errors or "",
        )
        print(f"{compute}: answered by {' and '.join(f'{key} {count}' for key, count in answered.items())}")
        for percent in (50, 99):
            base, ours = quiet.percentile_s(percent), rolled.percentile_s(percent)
            print(
                f"{compute}: p{percent} {base * 1000:6.1f} ms before, {ours * 1000:6.1f} ms through, "
                f"ratio {ours / base:.2f}"
            )
    return int(lost > 0)


if __name__ == "__main__":
    raise SystemExit(main())
