"""``history`` and ``explain``: what was released to an environment, and why something was not.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context

from the_sink.tasks import flags
from the_sink.tasks.decorator import task


@task
def history(_c: Context, env: str = "", limit: str = "", sandbox: bool = False, json: bool = False) -> None:
    """Show every release of an environment, newest first: who released it, how long it took, how it ended.

    Args:
        env: The environment.
        limit: How many at most: a number, or "all" (default: 20).
        sandbox: Look into the sandbox of this machine instead of AWS.
        json: Print JSON for a script to read.
    """
    from dataclasses import asdict

    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.report import lines
    from the_sink.report.history import render_history
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.deploy import require_bootstrapped
    from the_sink.verbs.history import describe_history
    from the_sink.verbs.platform.stack import describe_platform

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    number = flags.number_or_all(limit, "--limit", default=20)
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    names = Names(settings.app, environment.name)
    require_bootstrapped(aws, names)
    bucket = describe_platform(aws, settings.platform).bucket
    found = describe_history(aws, names, bucket, environment.tag, number)
    if json:
        releases = [{**asdict(each), "duration_s": each.duration_s} for each in found]
        lines.data_as_json({"app": names.app, "env": names.env, "releases": releases})
        return
    lines.data(render_history(names.app, names.env, found))


@task
def explain(
    _c: Context, env: str = "", execution: str = "", sandbox: bool = False, json: bool = False
) -> None:
    """Say why the newest execution of an environment failed, or what it waits for: its cause, and what to do.

    Args:
        env: The environment.
        execution: Another execution than the newest: its id, or how that begins (invoke history names it).
        sandbox: Look into the sandbox of this machine instead of AWS.
        json: Print JSON for a script to read.
    """
    from dataclasses import asdict

    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.report import lines
    from the_sink.report.events import watch
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.deploy import require_bootstrapped
    from the_sink.verbs.explain import explain_execution

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    names = Names(settings.app, environment.name)
    require_bootstrapped(aws, names)
    found = watch(explain_execution(aws, names, execution))
    if json:
        lines.data_as_json(asdict(found))
        return
    lines.data(found.sentence)
    if found.hint:
        lines.data(found.hint)
