"""What AWS's validator costs ``invoke validate``, against cfn-lint, which judged the app's template before.

Both judge the template of a generated app in processes of their own, in turns: a noisy machine slows both.
The validator judges the platform's stack too, in each of three environments, and knows no verdict beforehand.
Bound: no more than cfn-lint.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sink_host.templates.validator_files import fetch_validator

ROUNDS = 7
BOUND = 1.0
CHECKOUT = Path(__file__).resolve().parents[1]
BEFORE = """
from pathlib import Path
from the_sink.local.tool_checks import find_cfn_lint, lint_template
print(len(lint_template(Path(), find_cfn_lint())))
"""
NOW = """
from pathlib import Path
from the_sink.local.template_checks import check_templates
verdict = check_templates(Path())
assert verdict.judged_by == "cloudformation-validate", verdict.note
print(len(verdict.problems))
"""


def seconds(program: str, app: Path, cache: Path) -> float:
    """Time one program in ``app`` to its end; it finds nothing there."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=app,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "0\n", done.stdout
    return time.perf_counter() - begin


def main() -> int:
    """Print the medians and their ratio; 1 if the bound is broken."""
    with tempfile.TemporaryDirectory() as scratch:
        app, cache = Path(scratch, "app"), Path(scratch, "cache")
        subprocess.run(
            [
                sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD",
                "--data", "app_name=bench-app", "--data", "database=postgres", str(CHECKOUT), str(app),
            ],
            check=True,
        )  # fmt: skip
        fetched = fetch_validator()
        own = cache / "the-sink" / fetched.name
        shutil.copytree(fetched, own, ignore=shutil.ignore_patterns("verdicts"))
        rounds = []
        for _ in range(ROUNDS):
            shutil.rmtree(own / "verdicts", ignore_errors=True)
            rounds.append((seconds(BEFORE, app, cache), seconds(NOW, app, cache), seconds(NOW, app, cache)))
    before, now, again = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"cfn-lint, the app's template:                   {before:6.2f} s (median of {ROUNDS})")
    print(f"AWS's validator, that and the platform's stack: {now:6.2f} s")
    print(f"the same again, by its verdicts:                {again:6.2f} s")
    print(f"ratio {now / before:.2f}, at most {BOUND}")
    return int(now / before > BOUND)


if __name__ == "__main__":
    sys.exit(main())
