"""``rollback`` and ``abort``: an environment goes back to a release that served, or stays with it.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.errors import InputError, Interrupted
from the_sink.tasks import flags
from the_sink.tasks.decorator import task

if TYPE_CHECKING:
    from the_sink.verbs.rollback import Past

_OFFERED = 10
"""How many releases the list at a terminal has; an older one is named with ``--to``."""


@task
def rollback(
    _c: Context,
    env: str = "",
    to: str = "",
    sandbox: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
    timeout: str = "",
) -> None:
    """Go back to a release that served, and follow it until it serves again.

    Its archive is deployed once more: nothing is built, the image is the one that was admitted then.

    Args:
        env: The environment.
        to: The commit to go back to: a SHA or its beginning, a branch or tag (default: the release before; at
            a terminal you choose).
        sandbox: Go back in the sandbox of this machine instead of AWS.
        dry_run: Show the steps and what is not undone, and change nothing.
        yes: Do not ask.
        json: Print what serves in the end as JSON.
        timeout: Stop watching after this many seconds; the rollback goes on.
    """
    import os
    import sys
    import tempfile
    from dataclasses import asdict
    from pathlib import Path

    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.tasks import releasing
    from the_sink.tasks.asking import confirm
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs import deploy
    from the_sink.verbs import rollback as verb
    from the_sink.verbs.platform.stack import describe_platform

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    timeout_s = flags.seconds(timeout)
    wanted = releasing.find_commit(settings, to)
    aws = connect_to(environment, sandbox=sandbox)
    names = Names(settings.app, environment.name)
    deploy.require_bootstrapped(aws, names)
    bucket = describe_platform(aws, settings.platform).bucket
    past = verb.describe_past(aws, names, bucket)
    if not wanted and not yes and not dry_run and past.previous and sys.stdin.isatty():
        wanted = _pick(past, names.env)
    record = verb.choose_target(aws, names, past, wanted)
    with tempfile.TemporaryDirectory(prefix="the-sink-") as scratch:
        target = verb.fetch_target(aws, names, bucket, past, record, Path(scratch))
        command = f"invoke rollback --env {names.env} --to {record.commit}{aws.target.flags}"
        planned = deploy.plan(
            aws,
            settings,
            environment,
            target.archive,
            again=False,
            may_delete=yes,
            start=command,
            resume=command,
            timeout_s=timeout_s,
            released_by=releasing.describe_releaser(settings.root, os.environ),
            rolled_back_from=past.serving.commit if past.serving else "",
        )
        kept = [*target.kept]
        if environment.requires_approval:
            kept.append(
                f"{names.env} asks for an approval again, CodePipeline lets no single execution past it: "
                f"invoke approve --env {names.env}{aws.target.flags}"
            )
        others = [e.name for e in settings.environments if e.tag == environment.tag and e != environment]
        kept += [f"{each} follows the same archive, and goes back too." for each in others]
        before = f" from {past.serving.commit[:8]} {past.serving.subject!r}" if past.serving else ""
        what = f"{names.env} goes back{before} to {record.commit[:8]} {record.subject!r}"
        if dry_run:
            steps = [str(step) for step in planned.steps]
            if json:
                release = asdict(planned.release)
                lines.data_as_json(
                    {"ok": True, "env": names.env, "release": release, "steps": steps, "notes": kept}
                )
                return
            lines.data(wording.render_steps(planned.steps))
            lines.data("\n".join([f"{what}.", *(f"  {each}" for each in kept)]))
            return
        for line in (f"{what}.", *(f"  {each}" for each in kept)):
            lines.say(line)
        if planned.starts_a_run:
            confirm(f"Go back to {record.commit[:8]} in {names.env}", yes=yes)
            releasing.confirm_database(environment, planned.taken_database, yes=yes)
        try:
            deployed = watch(deploy.apply(aws, planned))
        except KeyboardInterrupt:
            raise Interrupted(planned.progress.sentence, planned.progress.hint) from None
    if json:
        lines.data_as_json({"ok": True, **asdict(deployed)})
        return
    lines.data(wording.render_deployed(deployed))


def _pick(past: Past, env: str) -> str:
    """Return the commit that the person at the terminal chooses, the previous release by default."""
    from the_sink.report import lines
    from the_sink.report.wording import format_time

    offered = past.candidates[:_OFFERED]
    lines.say(f"These served in {env}:")
    for number, each in enumerate(offered, 1):
        lines.say(f"  {number}  {each.commit[:8]} {each.subject} ({format_time(each.finished_at)})")
    default = next((n for n, each in enumerate(offered, 1) if each == past.previous), 1)
    answer = lines.ask(f"Go back to which one? [{default}]").strip() or str(default)
    if not (answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(offered)):
        raise InputError(f"{answer} is not a number from 1 to {len(offered)}. Nothing was done.")
    return offered[int(answer) - 1].commit


@task
def abort(_c: Context, env: str = "", sandbox: bool = False, yes: bool = False, timeout: str = "") -> None:
    """End the deploy that is under way, a rollout that hangs too; what served before serves on.

    Args:
        env: The environment.
        sandbox: End it in the sandbox of this machine instead of AWS.
        yes: Do not ask.
        timeout: Stop waiting for its end after this many seconds; it goes on stopping.
    """
    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.report import lines
    from the_sink.report.events import watch
    from the_sink.report.history import render_aborted
    from the_sink.tasks.asking import confirm
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs import abort as verb
    from the_sink.verbs.deploy import require_bootstrapped
    from the_sink.verbs.platform.stack import describe_platform

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    timeout_s = flags.seconds(timeout)
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    names = Names(settings.app, environment.name)
    require_bootstrapped(aws, names)
    bucket = describe_platform(aws, settings.platform).bucket
    found = verb.find_under_way(aws, names)
    confirm(f"Stop the deploy of {found.release} in {names.env}", yes=yes)
    try:
        ended = watch(verb.abort(aws, names, bucket, found, timeout_s))
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped watching; the execution {found.execution.execution_id} may be stopping.",
            f"See what became of it: invoke explain --env {names.env}{aws.target.flags}",
        ) from None
    lines.data(render_aborted(ended))
