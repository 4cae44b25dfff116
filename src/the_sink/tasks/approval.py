"""``approve`` and ``reject``: the answer that a release waits for before it goes on to an environment.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.tasks import flags
from the_sink.tasks.decorator import task

if TYPE_CHECKING:
    from the_sink.aws.session import Aws
    from the_sink.models import Stack, WaitingRelease
    from the_sink.naming import Names
    from the_sink.verbs.source_archive import SourceArchive


@task
def approve(_c: Context, env: str = "", commit: str = "", message: str = "", sandbox: bool = False) -> None:
    """Let the release go on that waits for an approval in an environment, once its archive is verified.

    Args:
        env: The environment that it waits to enter.
        commit: Approve only if this commit is the one that waits: a SHA, branch or tag.
        message: What AWS keeps with the answer (default: that this command gave it).
        sandbox: Answer in the sandbox of this machine instead of AWS.
    """
    from the_sink.report import lines
    from the_sink.verbs import approve as approval
    from the_sink.verbs.platform.stack import describe_platform

    place = _find_place(env, commit, sandbox=sandbox)
    release, source = approval.approve(
        place.aws,
        place.names,
        place.pipeline,
        describe_platform(place.aws, place.platform).bucket,
        commit=place.commit,
        message=message or "Approved with invoke approve.",
    )
    env = place.names.env
    lines.say(_describe_verification(source))
    lines.data(f"Approved {release} for {env}{_describe_wait(release)}; it goes on.")
    lines.say(f"Watch it: invoke deploy --env {env} --commit {release.commit}{place.aws.target.flags}")


@task
def reject(_c: Context, env: str = "", commit: str = "", message: str = "", sandbox: bool = False) -> None:
    """End the execution of the release that waits for an approval in an environment.

    Args:
        env: The environment that it waits to enter.
        commit: Reject only if this commit is the one that waits: a SHA, branch or tag.
        message: Why, for whoever deploys it (default: that this command gave the answer).
        sandbox: Answer in the sandbox of this machine instead of AWS.
    """
    from the_sink.report import lines
    from the_sink.verbs import approve as approval

    place = _find_place(env, commit, sandbox=sandbox)
    release = approval.reject(
        place.aws, place.names, commit=place.commit, message=message or "Rejected with invoke reject."
    )
    lines.data(f"Rejected {release}{_describe_wait(release)}; {place.names.env} stays as it is.")


@dataclass(frozen=True)
class _Place:
    """Where an answer goes to, and the commit that it is meant for ("" for whichever waits)."""

    aws: Aws
    names: Names
    pipeline: Stack
    platform: str
    commit: str


def _find_place(env: str, commit: str, *, sandbox: bool) -> _Place:
    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.tasks.connection import connect_to
    from the_sink.tasks.releasing import find_commit
    from the_sink.verbs.deploy import require_bootstrapped

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    wanted = find_commit(settings, commit)
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    names = Names(settings.app, environment.name)
    return _Place(aws, names, require_bootstrapped(aws, names), settings.platform, wanted)


def _describe_verification(source: SourceArchive) -> str:
    named = (
        f"its release.json names {source.release.short}"
        if source.names_its_commit
        else "as those of the legacy platform it has no release.json, and nothing inside names its commit"
    )
    return f"The archive that waits is {source.key}, byte for byte; {named}."


def _describe_wait(release: WaitingRelease) -> str:
    from the_sink.report import wording

    return f", which waited since {wording.format_time(release.since)}" if release.since else ""
