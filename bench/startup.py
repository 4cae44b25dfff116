"""What ``invoke --list`` costs in a generated app, against a ``tasks.py`` with one trivial task.

Both run with the same interpreter and the same Invoke, in turns, so that a noisy machine slows both.
Bound: 1.3 times the baseline.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 21
BOUND = 1.3
TRIVIAL = '''from invoke import task


@task
def hello(c):
    """Say hello."""
    print("hello")
'''
CHECKOUT = Path(__file__).resolve().parents[1]


def seconds(folder: Path) -> float:
    """Time one ``invoke --list`` in ``folder``."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "invoke", "--list"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begin


def main() -> int:
    """Print the two medians and their ratio; 1 if the bound is broken."""
    with tempfile.TemporaryDirectory() as scratch:
        trivial, app = Path(scratch, "trivial"), Path(scratch, "app")
        trivial.mkdir()
        (trivial / "tasks.py").write_text(TRIVIAL)
        subprocess.run(
            [
                sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD",
                "--data", "app_name=bench-app", str(CHECKOUT), str(app),
            ],
            check=True,
        )  # fmt: skip
        for folder in (trivial, app):
            seconds(folder)
        rounds = [(seconds(trivial), seconds(app)) for _ in range(ROUNDS)]
    baseline, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"invoke --list, one trivial task:    {baseline * 1000:6.0f} ms (median of {ROUNDS})")
    print(f"invoke --list, in a generated app:  {ours * 1000:6.0f} ms")
    print(f"ratio {ours / baseline:.2f}, at most {BOUND}")
    return int(ours / baseline > BOUND)


if __name__ == "__main__":
    raise SystemExit(main())
