"""``logs``: what a service's tasks or its builds wrote.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from the_sink.errors import InputError
from the_sink.tasks import flags
from the_sink.tasks.decorator import task

_INTERRUPTED_EXIT_CODE = 130
"""128 + SIGINT, as shells count."""


@task
def logs(
    _c: Context,
    env: str = "",
    since: str = "",
    follow: bool = False,
    grep: str = "",
    task: str = "",
    build: bool = False,
    raw: bool = False,
    sandbox: bool = False,
) -> None:
    """Show what the tasks of an environment wrote, or its last build: moments in UTC, oldest first.

    Args:
        env: Whose log.
        since: How far back: 90s, 10m, 1h or 2d (default: 10m; of a build all of it).
        follow: Go on with what is written from now on; Ctrl-C ends it, and a build's end.
        grep: Only lines with this text.
        task: Only of the task whose id begins like this.
        build: The log of the running build, or else of the last one.
        raw: The lines as they were written, JSON as JSON.
        sandbox: Read the log in the sandbox of this machine instead of AWS.
    """
    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.report import lines, log_lines
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs import logs as verb

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    task_id = flags.task_id(task)
    if build and task_id:
        raise InputError("--build and --task: a build has no tasks.", "Leave one of them out.")
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    names = Names(settings.app, environment.name)
    now = aws.clock.utc()
    if build:
        log = verb.find_build_log(aws, names, now - flags.time_span(since) if since else None)
    else:
        log = verb.find_service_log(aws, names, now - flags.time_span(since or "10m"), task_id)
    try:
        count = log_lines.show(verb.read_log(aws, names, log, follow=follow), grep=grep, raw=raw)
    except KeyboardInterrupt:
        raise Exit(code=_INTERRUPTED_EXIT_CODE) from None
    if not count:
        lines.say(verb.describe_silence(log, grep))
