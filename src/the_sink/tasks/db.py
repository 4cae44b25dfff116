"""The tasks of an app's database.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.errors import InputError, SinkError
from the_sink.tasks.decorator import task
from the_sink.tasks.own_layout import load_own_app

if TYPE_CHECKING:
    from pathlib import Path

    from sink_host.process import Completed

FOLDER = "app/migrations/versions"


@task
def migration(_c: Context, message: str = "") -> None:
    """Write the migration that brings the database to what the app's code describes, for you to read.

    Alembic compares the code with an empty database that the earlier migrations have filled; it is thrown
    away afterwards, and no other one is touched. Where nothing has changed, nothing is written.

    Args:
        message: What changes, in a few words.
    """
    import shlex

    from sink_host.process import run
    from the_sink.checks.validation import load_parameters
    from the_sink.local import app_database
    from the_sink.local import app_environment as local
    from the_sink.report import lines

    settings = load_own_app("db.migration")
    if not message.strip():
        raise InputError(
            "What changes is missing.", 'Say it in a few words: --message "Notes have a colour".'
        )
    versions = settings.root / FOLDER
    if not versions.is_dir():
        raise InputError(
            f"{settings.app} has no {FOLDER}.",
            "An app with a database has it: copier update --data database=postgres.",
        )
    number = _next_number(versions)
    runtime = load_parameters(settings, "stage").get("RuntimeVersion", "")
    environment = local.prepare(settings.root, runtime, lines.say)
    alembic = [str(environment / "bin" / "python"), "-m", "alembic"]
    named = ["--rev-id", number, "--message", message.strip()]
    before = set(versions.glob("*.py"))
    with app_database.throw_away() as database:
        variables = local.environment_variables(settings.root, environment)
        variables |= app_database.task_variables(database)

        def call(*command: str) -> Completed:
            # Caught, because Alembic tells each plugin that it loads and each step; shown where it failed.
            return run([*alembic, *command], settings.root / "app", env=variables)

        def checked(*command: str) -> None:
            done = call(*command)
            if done.code:
                lines.say("\n".join(filter(None, (done.text, done.error_text))))
                raise SinkError(
                    f"alembic {command[0]} ended with exit code {done.code}; no migration was written.",
                    "Its reason is above.",
                )

        checked("upgrade", "head")
        # Fails where something has changed, and where it cannot tell; the next command then says why.
        # https://alembic.sqlalchemy.org/en/latest/autogenerate.html
        if call("check").code == 0:
            lines.say(
                "The code describes the database as the migrations leave it: nothing was written.\n"
                "To write one by hand, for data: cd app && "
                f".venv/bin/alembic {shlex.join(['revision', *named])}"
            )
            return
        checked("revision", "--autogenerate", *named)
    for path in sorted(set(versions.glob("*.py")) - before):
        lines.data(str(path.relative_to(settings.root)))
    lines.say("Read it, and see that the release that runs can go on with what it leaves.")


def _next_number(versions: Path) -> str:
    """The number after the highest one that a migration's name begins with."""
    numbers = [path.name.partition("_")[0] for path in versions.glob("*.py")]
    return f"{max((int(number) for number in numbers if number.isdecimal()), default=0) + 1:04d}"
