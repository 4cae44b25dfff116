"""The tasks of an app that reach AWS (or the sandbox): its delivery, its releases, what it serves.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.errors import Interrupted
from the_sink.tasks import flags
from the_sink.tasks.decorator import task

if TYPE_CHECKING:
    from the_sink.config import Settings


@task
def bootstrap(
    _c: Context, env: str = "", sandbox: bool = False, dry_run: bool = False, yes: bool = False
) -> None:
    """Create an environment's registry, secret, roles and pipeline, or bring them up to date.

    Args:
        env: The environment: stage first, the others in their order.
        sandbox: Bootstrap it in the sandbox of this machine instead of AWS.
        dry_run: Show the steps, and change nothing.
        yes: Do not ask: put the permissions boundary on roles that have none; delete and create anew a stack
            whose first creation failed.
    """
    from the_sink.checks.validation import load_parameters, load_tags
    from the_sink.config import load_app
    from the_sink.local.tool_checks import check_installed
    from the_sink.naming import DEFAULT_TAGS
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.resources import platform_version
    from the_sink.tasks import bootstrapping
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs import bootstrap as verb

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    if not sandbox and not dry_run:
        settings = bootstrapping.name_repository(settings)
    # Read before AWS is asked: what is wrong with a file here is the cheaper answer.
    parameters = load_parameters(settings, environment.name)
    aws = connect_to(environment, sandbox=sandbox)
    planned = verb.plan(
        aws,
        settings,
        environment,
        lambda other: connect_to(other, sandbox=sandbox, quiet=True),
        parameters=parameters,
        tags=load_tags(settings, environment.name),
        version=platform_version(),
        repository=_repository(settings),
        may_delete=yes,
    )
    outdated = (f"{problem} {problem.hint}" for problem in check_installed(settings.root))
    for warning in (*outdated, *planned.warnings):
        lines.say(f"Warning: {warning}")
    if dry_run:
        lines.data(wording.render_steps(planned.steps))
        return
    bootstrapping.confirm_boundary(environment.name, planned.unbounded, yes=yes)
    applied = watch(verb.apply(aws, planned))
    lines.data(wording.render_applied(applied))
    for name, value in sorted(applied.stack.outputs.items()):
        lines.data(f"  {name}: {value}")
    if role := applied.stack.outputs.get("GitHubRoleArn"):
        lines.say(f"On GitHub: gh variable set SINK_ROLE_ARN --env {environment.name} --body {role}")
    promotes = environment.tag != DEFAULT_TAGS["stage"]
    source = f" promotes what serves in {settings.before(environment.name).name}" if promotes else ""
    lines.say(f"Next: invoke deploy --env {environment.name}{' --sandbox' * sandbox}{source}")


@task
def deploy(
    _c: Context,
    env: str = "",
    commit: str = "",
    sandbox: bool = False,
    again: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
    timeout: str = "",
) -> None:
    """Deploy a commit, or promote a release, and follow it until it serves, or say why it does not.

    Stage takes commits. The environments after it take what serves in the one before them: its archive
    is copied, and in the delivery "task" its image too, so that what runs is what ran.

    Args:
        env: The environment to deploy to.
        commit: A SHA, branch or tag (default: HEAD with nothing uncommitted; to promote: what serves before).
        sandbox: Deploy to the sandbox of this machine instead of AWS.
        again: Run the pipeline even if the release serves already.
        dry_run: Show the steps, and change nothing.
        yes: Do not ask: go back to an older release, take a database away, delete an app stack whose first
            creation failed.
        json: Print what serves in the end as JSON.
        timeout: Stop watching after this many seconds; the deploy goes on.
    """
    import os
    import tempfile
    from pathlib import Path

    options = {"env": env, "commit": commit, "timeout": timeout}
    switches = {"sandbox": sandbox, "again": again, "dry-run": dry_run, "yes": yes, "json": json}
    with tempfile.TemporaryDirectory(prefix="the-sink-") as scratch:
        try:
            from dataclasses import asdict

            from the_sink.config import load_app
            from the_sink.report import lines, wording
            from the_sink.report.events import watch
            from the_sink.tasks import releasing
            from the_sink.tasks.connection import connect_to
            from the_sink.verbs import deploy as verb

            settings = load_app()
            environment = settings.environment(flags.required_env(env, settings.environment_names))
            timeout_s = flags.seconds(timeout)
            if releasing.is_promotion(environment):
                choice = releasing.choose_promoted(
                    settings, environment, commit, Path(scratch), sandbox=sandbox
                )
            else:
                choice = releasing.choose_commit(settings, environment, commit, Path(scratch))
            aws = connect_to(environment, sandbox=sandbox, quiet=choice.candidate is not None)
            chosen = {"env": environment.name, "commit": choice.archive.manifest.commit}
            planned = verb.plan(
                aws,
                settings,
                environment,
                choice.archive,
                again=again,
                may_delete=yes,
                start=_deploy_command(chosen, {"sandbox": sandbox, "again": again, "yes": yes}),
                resume=_deploy_command(chosen, {"sandbox": sandbox}),
                timeout_s=timeout_s,
                released_by=releasing.describe_releaser(settings.root, os.environ),
            )
            if dry_run:
                steps = [str(step) for step in planned.steps]
                if json:
                    release = asdict(planned.release)
                    lines.data_as_json(
                        {"ok": True, "env": environment.name, "release": release, "steps": steps}
                    )
                else:
                    lines.data(wording.render_steps(planned.steps))
                return
            if planned.starts_a_run:
                releasing.confirm_release(settings, environment, choice, sandbox=sandbox, yes=yes)
                releasing.confirm_database(environment, planned.taken_database, yes=yes)
            lines.say(f"{choice.announcement} to {environment.name}.")
        except KeyboardInterrupt:
            raise Interrupted(
                "Interrupted: nothing was released.", f"Deploy: {_deploy_command(options, switches)}"
            ) from None
        try:
            deployed = watch(verb.apply(aws, planned))
        except KeyboardInterrupt:
            reached = planned.progress
            raise Interrupted(reached.sentence, reached.hint) from None
    if json:
        lines.data_as_json({"ok": True, **asdict(deployed)})
        return
    lines.data(wording.render_deployed(deployed))


@task
def status(_c: Context, env: str = "", sandbox: bool = False, json: bool = False) -> None:
    """Show each environment: its last run, what it serves and who released it, where it answers.

    Args:
        env: One environment only (default: all of them).
        sandbox: Look into the sandbox of this machine instead of AWS.
        json: Print JSON for a script to read.
    """
    from dataclasses import asdict

    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.report import lines, wording
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.status import describe_environment

    settings = load_app()
    wanted = [settings.environment(env)] if env else settings.environments
    found = [
        describe_environment(
            connect_to(environment, sandbox=sandbox, quiet=number > 0 or json),
            Names(settings.app, environment.name),
            settings.platform,
        )
        for number, environment in enumerate(wanted)
    ]
    if json:
        lines.data_as_json({"app": settings.app, "environments": [asdict(each) for each in found]})
        return
    lines.data(wording.render_status(settings.app, found, " --sandbox" * sandbox))


@task
def outputs(_c: Context, env: str = "", sandbox: bool = False, json: bool = False) -> None:
    """Show the outputs of an environment's stack, the load balancer's address among them."""
    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.report import lines
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.status import describe_outputs

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    found = describe_outputs(aws, Names(settings.app, environment.name))
    if json:
        lines.data_as_json(found)
        return
    for name, value in found.items():
        lines.data(f"{name}: {value}")


def _deploy_command(options: dict[str, str], switches: dict[str, bool]) -> str:
    """Return the command line of a deploy, without what was not given."""
    import shlex

    words = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    words += [f"--{name}" for name, is_on in switches.items() if is_on]
    return shlex.join(["invoke", "deploy", *words])


def _repository(settings: Settings) -> str:
    """The app's own repository as its answers name it, "" where they name none."""
    from the_sink.config.answers import FILE, parse_answers

    path = settings.root / FILE
    answers = parse_answers(path.read_text(encoding="utf-8")) if path.is_file() else None
    return str(answers.values.get("app_repository") or "") if answers else ""
