"""The tasks of this service: the platform's, and the team's own below them. See `invoke --list`."""

import sys

# Every Python 3 must be able to read this file as far as it ends: no newer syntax in it.
if sys.version_info < (3, 11):
    sys.stderr.write(
        "Python "
        + ".".join(map(str, sys.version_info[:2]))
        + " runs this invoke, and the platform needs 3.11 or later; make .venv with a newer one: "
        + "python3.13 -m venv --clear .venv && .venv/bin/pip install -r requirements-platform.txt\n"
    )
    sys.exit(2)

try:
    from the_sink.tasks import app_namespace
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "the_sink":
        raise
    print(
        "The platform's package is not installed where this invoke runs; use .venv/bin/invoke after: "
        "python3 -m venv .venv && .venv/bin/pip install -r requirements-platform.txt",
        file=sys.stderr,
    )
    sys.exit(2)

ns = app_namespace()

# The team's own tasks; `copier update` keeps them. For example:
#
#     from invoke import task
#
#     @task
#     def seed(c):
#         """Fill the local service with examples."""
#         c.run("python3 scripts/seed.py")
#
#     ns.add_task(seed)
