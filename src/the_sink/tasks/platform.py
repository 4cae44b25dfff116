"""``invoke platform.*``: what all apps of an account share, and the templates that they deploy from.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.errors import InputError
from the_sink.tasks import flags
from the_sink.tasks.decorator import task

if TYPE_CHECKING:
    from the_sink.aws.session import Aws


@task(iterable=("parameter",))
def bootstrap(
    _c: Context,
    parameter: list[str] | None = None,
    sandbox: bool = False,
    dry_run: bool = False,
    yes: bool = False,
) -> None:
    """Create the platform's stack (buckets, registry, network, roles), or bring it up to date.

    Args:
        parameter: A parameter of the stack, as Name=value; others keep their value.
        sandbox: Create it in the sandbox of this machine instead of AWS.
        dry_run: Show the steps, and change nothing.
        yes: Delete and create anew a stack whose first creation failed.
    """
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.resources import find_checkout, platform_version
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.platform import stack as platform

    settings = load_platform(Path.cwd())
    checkout = find_checkout(settings.root)
    version = platform_version(checkout)
    parameters = flags.pairs(parameter, "--parameter", "NetworkEgress=endpoints")
    aws = connect_to(settings, sandbox=sandbox)
    steps = platform.plan_bootstrap(
        aws, settings.name, version, parameters, may_delete=yes, tags=settings.tags, checkout=checkout
    )
    if dry_run:
        lines.data(wording.render_steps(steps))
        return
    applied = watch(platform.apply_bootstrap(aws, settings.name, steps, checkout))
    lines.data(wording.render_applied(applied))
    for name, value in sorted(applied.stack.outputs.items()):
        lines.data(f"  {name}: {value}")


@task
def publish(_c: Context, sandbox: bool = False, dry_run: bool = False, yes: bool = False) -> None:
    """Publish this version's app template and sink-build, and move the stage channels to it.

    Args:
        sandbox: Publish into the sandbox of this machine instead of AWS.
        dry_run: Show the steps, and change nothing.
        yes: Do not ask before stage moves back to an older version.
    """
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.resources import find_checkout, platform_version
    from the_sink.tasks.asking import confirm
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.platform import stack as platform
    from the_sink.verbs.platform.versions import newer_in_stage

    settings = load_platform(Path.cwd())
    checkout = find_checkout(settings.root)
    version = platform_version(checkout)
    aws = connect_to(settings, sandbox=sandbox)
    bucket = platform.describe_platform(aws, settings.name).bucket
    steps = platform.plan_version(aws, bucket, version, checkout)
    if dry_run:
        lines.data(wording.render_steps(steps))
        return
    if steps and (newer := newer_in_stage(aws, bucket, version)):
        confirm(f"stage holds {newer}, which is newer than {version}. Move it back", yes=yes)
    watch(platform.apply_publish(aws, steps, version, checkout))
    lines.data(
        f"Version {version} is published; apps in stage take it at their next pipeline run."
        if steps
        else f"Version {version} was published already, and stage holds it."
    )
    _say_next(aws, bucket, "stage", version)


@task
def promote(
    _c: Context,
    env: str = "",
    version: str = "",
    sandbox: bool = False,
    dry_run: bool = False,
    yes: bool = False,
) -> None:
    """Let a published version of the app template and of sink-build on to uat, then to prod.

    Args:
        env: uat or prod.
        version: A published version (default: the one that the environment before holds).
        sandbox: Promote in the sandbox of this machine instead of AWS.
        dry_run: Show the steps, and change nothing.
        yes: Do not ask before an environment is skipped or moves back to an older version.
    """
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.plan import check_promotable, plan_promotion
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.resources import find_checkout, platform_version
    from the_sink.tasks import flags
    from the_sink.tasks.asking import confirm
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.platform.stack import describe_platform
    from the_sink.verbs.platform.versions import apply_promotion, describe_channels

    env = flags.required_env(env)
    before = check_promotable(env)
    settings = load_platform(Path.cwd())
    wanted = _version(version)
    major = _major(wanted or platform_version(find_checkout(settings.root)))
    aws = connect_to(settings, sandbox=sandbox)
    bucket = describe_platform(aws, settings.name).bucket
    promotion = plan_promotion(bucket, env, describe_channels(aws, bucket, major), wanted)
    if not promotion.steps:
        like = "" if wanted else f", as {before} does"
        lines.data(f"{env} holds version {promotion.version} already{like}; there is nothing to promote.")
        return
    came_from = promotion.held or "no published version"
    if dry_run:
        lines.data(wording.render_steps(promotion.steps))
        lines.data(f"{env} would go from {came_from} to {promotion.version}.")
        for doubt in promotion.doubts:
            lines.data(f"It asks first: {doubt}.")
        return
    if promotion.doubts:
        confirm(f"{'; '.join(promotion.doubts)}. Promote all the same", yes=yes)
    watch(apply_promotion(aws, promotion))
    lines.data(
        f"{env} went from {came_from} to {promotion.version}; its apps take it at their next pipeline run."
    )
    _say_next(aws, bucket, env, promotion.version)


def _say_next(aws: Aws, bucket: str, env: str, version: str) -> None:
    """Name the next environment to let a version on to: the first one that does not hold it."""
    from the_sink.plan import next_promotion
    from the_sink.report import lines
    from the_sink.verbs.platform.versions import describe_channels

    behind = next_promotion(env, describe_channels(aws, bucket, _major(version)), version)
    if behind:
        lines.say(f"Then let it on: invoke platform.promote --env {behind}{aws.target.flags}")
    else:
        lines.say("Every environment holds it.")


def _version(text: str) -> str:
    from the_sink.models import parse_version

    parsed = parse_version(text)
    if text and parsed is None:
        raise InputError(f"--version {text}: that is no version.", "For example: --version 1.1.0")
    return str(parsed) if parsed else ""


def _major(version: str) -> int:
    from the_sink.models import parse_version

    parsed = parse_version(version)
    if parsed is None:
        raise InputError(
            f"pyproject.toml: the version {version!r} is no released one, three numbers.",
            "Name the version to promote: --version 1.1.0",
        )
    return parsed.major
