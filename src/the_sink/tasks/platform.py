"""``invoke platform.*``: what all apps of an account share, and the templates that they deploy from.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context

from the_sink.errors import InputError
from the_sink.tasks.decorator import task


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
    from the_sink.deploy import platform
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.resources import platform_version
    from the_sink.tasks.connection import connect_to

    settings = load_platform(Path.cwd())
    parameters = _pairs(parameter or [])
    aws = connect_to(settings, sandbox=sandbox)
    steps = platform.plan_bootstrap(aws, settings.name, platform_version(), parameters, may_delete=yes)
    if dry_run:
        lines.data(wording.render_steps(steps))
        return
    applied = watch(platform.apply_bootstrap(aws, settings.name, steps))
    lines.data(wording.render_applied(applied))
    for name, value in sorted(applied.stack.outputs.items()):
        lines.data(f"  {name}: {value}")


@task
def publish(_c: Context, sandbox: bool = False, dry_run: bool = False) -> None:
    """Publish this version's app template and move the stage channel to it."""
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.deploy import platform
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.resources import platform_version
    from the_sink.tasks.connection import connect_to

    settings = load_platform(Path.cwd())
    version = platform_version()
    aws = connect_to(settings, sandbox=sandbox)
    found = platform.describe_platform(aws, settings.name)
    steps = platform.plan_template(aws, found.bucket, version)
    if dry_run:
        lines.data(wording.render_steps(steps))
        return
    watch(platform.apply_publish(aws, steps))
    lines.data(
        f"Version {version} is published; stage deploys it at each app's next run."
        if steps
        else f"Version {version} was published already, and stage deploys it."
    )


def _pairs(arguments: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name:
            raise InputError(
                f"--parameter {argument}: a name, an equals sign and a value are needed.",
                "For example: --parameter NetworkEgress=endpoints",
            )
        pairs[name] = value
    return pairs
