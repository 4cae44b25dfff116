"""The tasks of an app that need no AWS: its files checked, its code served, tested, linted and locked.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from the_sink.errors import ConfigError, InputError, SinkError
from the_sink.tasks import flags
from the_sink.tasks.decorator import task
from the_sink.tasks.own_layout import load_own_app

if TYPE_CHECKING:
    from the_sink.config import Settings

DEFAULT_PORT = 8080
"""The runtime's own, so that addresses look alike."""

FIRST = "stage"
"""The environment whose settings count on a laptop: the one that is deployed first."""


@task
def validate(_c: Context, json: bool = False, timing: bool = False) -> None:
    """Check the app's files and list every problem in them: sink.toml, aws/, Procfile, the platform's pin.

    Args:
        json: Print what was found for a script to read.
        timing: Show too how long a rollout takes on AWS with each environment's settings, modelled.
    """
    from pathlib import Path

    from the_sink.checks.stack_role import check_resources
    from the_sink.checks.validation import check_app
    from the_sink.config import find_app, load_app
    from the_sink.local import tool_checks as checks
    from the_sink.local.template_checks import check_templates
    from the_sink.local.timing import check_rollouts, model_environments
    from the_sink.report import lines
    from the_sink.report.timing import render_timings, timings_as_data

    root = find_app(Path.cwd())
    problems = checks.check_markers(root) + check_app(root)
    problems += checks.check_nested(root) + checks.check_source(root) + checks.check_installed(root)
    problems += check_resources(root)
    verdict = check_templates(root)
    problems += verdict.problems
    errors = [problem for problem in problems if not problem.is_warning]
    # What cannot be deployed takes no time.
    timings = model_environments(load_app(root)) if not errors else {}
    problems += check_rollouts(timings)
    if json:
        found = [
            {
                "file": problem.file,
                "message": problem.message,
                "hint": problem.hint,
                "severity": "warning" if problem.is_warning else "error",
            }
            for problem in problems
        ]
        answer = {"valid": not errors, "judged_by": verdict.judged_by or None, "problems": found}
        lines.data_as_json({**answer, "timing": timings_as_data(timings)} if timing else answer)
    else:
        for problem in problems:
            lines.data(problem.line)
        if verdict.note:
            lines.say(verdict.note)
        if not errors:
            lines.data("The app's files are in order.")
        if timing and timings:
            lines.data(f"\n{render_timings(timings)}")
        elif timing and not errors:
            lines.data("aws/cfn-template.yml does not nest the platform's stack: there is nothing to model.")
    if errors:
        counted = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
        raise Exit("" if json else f"{counted}; nothing was changed.", code=ConfigError.exit_code)


@task
def serve(_c: Context, port: str = "", db_port: str = "", no_reload: bool = False) -> None:
    """Serve the app on this machine as its container would start it, again at each change of its source.

    An app with a database gets one of its own, kept in .sink/postgres, unless PGHOST names another.

    With --no-reload the app is one process that has the terminal to itself: breakpoint() stops it there,
    and an editor attaches to the process whose number is printed.

    Args:
        port: The port on 127.0.0.1 (default: 8080).
        db_port: The database's port on 127.0.0.1 (default: the one it had, or any that is free).
        no_reload: Stay one process, for a debugger; a change of the source then needs a new start.
    """
    import os
    import sys

    from the_sink.checks.validation import has_database
    from the_sink.local import app_database
    from the_sink.local import app_environment as local
    from the_sink.local.serving import container_init, require_free, serving_variables
    from the_sink.report import lines

    settings = load_own_app("serve")
    number = flags.port(port, default=DEFAULT_PORT) or DEFAULT_PORT
    database_port = flags.port(db_port, flag="--db-port")
    needs_database = has_database(settings, FIRST)
    if database_port and not needs_database:
        raise InputError(f"--db-port: {settings.app} has no database in {FIRST}.", "Leave it away.")
    web = local.read_procfile(settings.root)["web"]
    require_free(number)
    environment = local.prepare(settings.root, _runtime(settings), lines.say)
    local.prepare_env_file(settings.root, lines.say)
    variables, reloads = serving_variables(settings.root, environment, number, web, reload=not no_reload)
    if needs_database and (where := app_database.chosen_elsewhere(settings.root)):
        lines.say(f"The database is the one that PGHOST names in {where}.")
    elif needs_database:
        database = app_database.start_kept(settings.root, database_port)
        database.keep_over_exec()
        variables |= app_database.task_variables(database)
        lines.say(f"Its database is on 127.0.0.1:{database.port}, kept in {app_database.FOLDER}.")
    lines.say(f"Serving {settings.app} on http://127.0.0.1:{number} (Ctrl-C stops it)")
    if no_reload:
        lines.say(f"One process, {os.getpid()}: breakpoint() stops here, and a debugger may attach to it.")
    elif not reloads:
        lines.say("Its web command is neither uvicorn nor gunicorn: start it again after a change.")
    python = environment / "bin" / "python"
    sys.stdout.flush()
    os.chdir(settings.root / "app")
    # Becomes the server, so that signals and exit code are the server's own and nothing is left behind.
    os.execve(python, [str(python), str(container_init())], variables)  # noqa: S606 (no shell is wanted)


@task
def test(c: Context) -> None:
    """Run the app's tests: pytest in app/.venv, with whatever follows -- passed on.

    An app with a database gets an empty one for this run, unless PGHOST names another.
    """
    import os
    from contextlib import ExitStack

    from sink_host.process import show
    from the_sink.checks.validation import has_database
    from the_sink.local import app_database
    from the_sink.local import app_environment as local
    from the_sink.report import lines

    settings = load_own_app("test")
    environment = local.prepare(settings.root, _runtime(settings), lines.say)
    command = [str(environment / "bin" / "python"), "-m", "pytest", *flags.passed_on(c)]
    variables = local.environment_variables(settings.root, environment)
    with ExitStack() as stack:
        if has_database(settings, FIRST) and not os.environ.get("PGHOST"):
            database = stack.enter_context(app_database.throw_away())
            variables |= app_database.task_variables(database)
        code = show(command, settings.root / "app", env=variables)
    if code:
        raise SinkError(f"The app's tests failed (pytest ended with exit code {code}).")


@task
def lint(_c: Context, fix: bool = False) -> None:
    """Check the app's code: ruff check and ruff format --check.

    Args:
        fix: Repair and format instead, as far as ruff can.
    """
    from sink_host.process import show
    from the_sink.local import app_environment as local
    from the_sink.report import lines

    settings = load_own_app("lint")
    environment = local.prepare(settings.root, _runtime(settings), lines.say)
    variables = local.environment_variables(settings.root, environment)
    ruff = str(environment / "bin" / "ruff")
    commands = [
        [ruff, "check", *(["--fix"] if fix else []), "."],
        [ruff, "format", *([] if fix else ["--check"]), "."],
    ]
    # Both are run, whatever the first one says: everything that is wrong is seen at once.
    codes = [show(command, settings.root / "app", env=variables) for command in commands]
    if any(codes):
        raise SinkError(
            "The app's code is not clean.", "" if fix else "Repair what can be: invoke lint --fix."
        )


@task
def lock(_c: Context, upgrade: bool = False, dry_run: bool = False) -> None:
    """Resolve the app's dependencies again into its locked requirements, and show what changes.

    Args:
        upgrade: Take the newest versions that app/pyproject.toml allows, not those that are locked.
        dry_run: Show what would change, and write nothing.
    """
    from sink_host.process import uninterrupted
    from sink_host.uv import resolve_lock
    from the_sink.report import lines

    project = load_own_app("lock").root / "app"
    production = resolve_lock(project, "requirements.lock", upgrade=upgrade)
    # What is tested is what is deployed: the same version wherever both name a package.
    development = resolve_lock(
        project, "requirements-dev.lock", groups=("dev",), agree_with=production[0], upgrade=upgrade
    )
    # Written only after both have been resolved, and together: half a lock is none.
    resolved = {"requirements.lock": production, "requirements-dev.lock": development}
    if not dry_run:
        with uninterrupted():
            for name, (content, _) in resolved.items():
                (project / name).write_text(content, encoding="utf-8")
    for name, (_, changes) in resolved.items():
        lines.data(f"app/{name}: {'nothing changes' if not changes else f'{len(changes)} changed'}")
        for change in changes:
            lines.data(f"  {change}")


def _runtime(settings: Settings) -> str:
    """The Python that the app runs on in the environment that is deployed first."""
    from the_sink.checks.validation import load_parameters

    version = load_parameters(settings, FIRST).get("RuntimeVersion", "")
    if not version:
        raise InputError("aws/cfn-template-configuration-stage.json: RuntimeVersion is missing.")
    return version
