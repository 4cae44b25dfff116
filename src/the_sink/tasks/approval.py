"""``approve`` and ``reject``: the answer that a release waits for before it goes on to an environment.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context

from the_sink.tasks import flags
from the_sink.tasks.decorator import task


@task
def approve(_c: Context, env: str = "", commit: str = "", message: str = "", sandbox: bool = False) -> None:
    """Let the release go on that waits for an approval in an environment.

    Args:
        env: The environment that it waits to enter.
        commit: Approve only if this commit is the one that waits: a SHA, branch or tag.
        message: What AWS keeps with the answer (default: that this command gave it).
        sandbox: Answer in the sandbox of this machine instead of AWS.
    """
    _answer(env, commit, message or "Approved with invoke approve.", sandbox=sandbox, is_approved=True)


@task
def reject(_c: Context, env: str = "", commit: str = "", message: str = "", sandbox: bool = False) -> None:
    """End the run of the release that waits for an approval in an environment.

    Args:
        env: The environment that it waits to enter.
        commit: Reject only if this commit is the one that waits: a SHA, branch or tag.
        message: Why, for whoever deploys it (default: that this command gave the answer).
        sandbox: Answer in the sandbox of this machine instead of AWS.
    """
    _answer(env, commit, message or "Rejected with invoke reject.", sandbox=sandbox, is_approved=False)


def _answer(env: str, commit: str, message: str, *, sandbox: bool, is_approved: bool) -> None:
    from the_sink.config import load_app
    from the_sink.deploy.approval import answer
    from the_sink.deploy.deploy import require_bootstrapped
    from the_sink.naming import Names
    from the_sink.report import lines, wording
    from the_sink.tasks.connection import connect_to
    from the_sink.tasks.releasing import find_commit

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    wanted = find_commit(settings, commit)
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    names = Names(settings.app, environment.name)
    require_bootstrapped(aws, names)
    release = answer(aws, names, commit=wanted, message=message, is_approved=is_approved)
    waited = f", which waited since {wording.format_time(release.since)}" if release.since else ""
    if is_approved:
        lines.data(f"Approved {release} for {environment.name}{waited}; it goes on.")
        follow = f"invoke deploy --env {environment.name} --commit {release.commit}{aws.target.flags}"
        lines.say(f"Watch it: {follow}" if release.commit else "Watch it: invoke status")
    else:
        lines.data(f"Rejected {release}{waited}; {environment.name} stays as it is.")
