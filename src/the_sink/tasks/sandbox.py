"""``invoke sandbox.*``: the embedded AWS of this machine, from an app's folder or the platform's.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from the_sink.errors import Interrupted
from the_sink.tasks import flags
from the_sink.tasks.asking import confirm
from the_sink.tasks.decorator import task

_SET_ENVIRONMENT = 'eval "$(invoke sandbox.env)"'


@task
def start(_c: Context, port: str = "", compute: str = "", timeout: str = "", json: bool = False) -> None:
    """Start the sandbox, or bring it back with its state.

    Args:
        compute: What plays containers: docker, or processes (default: docker where an engine answers).
        port: The port of its endpoint on 127.0.0.1 (default: the former one, else 4566).
        timeout: Give up when it does not answer within this many seconds (default: 180).
        json: Print what the sandbox says of itself as JSON.
    """
    import sink_sandbox
    from the_sink.report import lines

    usual = sink_sandbox.START_TIMEOUT_S
    wanted, seconds = flags.port(port), flags.seconds(timeout, default=usual)
    name = chosen_name()
    try:
        sandbox = sink_sandbox.start(name, port=wanted, compute=compute, timeout_s=seconds or usual)
        if json:
            lines.data_as_json(sink_sandbox.status(sandbox.name))
            return
        lines.data(
            f"The sandbox {sandbox.name!r} is ready: {sandbox.endpoint_url}\n"
            f"State: {sandbox.state_dir}\n"
            f"Compute: {_compute(sandbox.compute, sandbox.reason)}\n"
            f"For aws and boto3: {_SET_ENVIRONMENT}"
        )
    except KeyboardInterrupt:
        # Its own, at the very end of the start, or one that somebody else had started.
        if sink_sandbox.find(name) is not None:
            raise Interrupted(
                f"Interrupted; the sandbox {name!r} is running.", "Stop it: invoke sandbox.stop"
            ) from None
        raise Interrupted(f"Interrupted: the sandbox {name!r} was not started.") from None


@task
def status(_c: Context, json: bool = False, patches: bool = False) -> None:
    """Show whether the sandbox runs, where, and what it only simulates.

    Args:
        json: Print it as JSON.
        patches: Show instead what the sandbox has changed in its emulator, in order, each with its reason.
    """
    import sink_sandbox
    from the_sink.report import lines

    name = chosen_name()
    try:
        if patches:
            _show_patches(sink_sandbox.applied_patches(name), json)
            return
        found = sink_sandbox.status(name)
    except sink_sandbox.SandboxUnavailable as error:
        if json:
            lines.data_as_json({"sandbox": name, "running": False, "reason": error.message})
            raise Exit(code=1) from None
        # An answer, not a refusal: not running is what was asked about.
        raise Exit(f"{error.message}\n{error.hint}", code=1) from None
    if json:
        lines.data_as_json({**found, "running": True})
        return
    titles = {"endpoint_url": "Endpoint", "pid": "Process", "compute": "Compute"}
    titles |= {"engine": "Containers", "emulator": "Emulator"}
    lines.data(f"The sandbox {name!r} is running.")
    lines.data(f"State: {sink_sandbox.state_dir(name)}")
    shown = {**found, "compute": _compute(found["compute"], found.get("reason", ""))}
    for key, title in titles.items():
        lines.data(f"{title}: {shown.get(key, 'unknown')}")
    lines.data(f"For aws and boto3: {_SET_ENVIRONMENT}")
    for what in found.get("simulated", ()):
        lines.data(f"Simulated: {what}")


@task
def env(_c: Context, region: str = "") -> None:
    """Print what lets aws and boto3 in a shell reach the sandbox; use it as: eval "$(invoke sandbox.env)".

    Args:
        region: The region to set (default: that of the stage in sink.toml, else eu-west-1).
    """
    import sink_sandbox
    from the_sink.report import lines

    sandbox = sink_sandbox.require(chosen_name())
    lines.data(render_environment(sink_sandbox.environment(sandbox, region or _region())))


def render_environment(values: Mapping[str, str]) -> str:
    """Return lines that bash, zsh and fish understand alike: none of the values needs a quote."""
    import os

    shown = dict(values)
    if os.environ.get("AWS_SESSION_TOKEN"):
        shown["AWS_SESSION_TOKEN"] = ""  # of another account; there is one word for unset in each shell
    return "\n".join(f"export {name}={value}" for name, value in shown.items())


@task
def access(_c: Context, json: bool = False) -> None:
    """Show what each role asked for since the sandbox was started, and what it was refused.

    Args:
        json: Print every access as JSON, with its whole name.
    """
    import sink_sandbox
    from the_sink.report import lines
    from the_sink.report.access import render_accesses

    found = sink_sandbox.accesses(sink_sandbox.require(chosen_name()).name)
    if json:
        lines.data_as_json({"access": found})
        return
    lines.data(render_accesses(found) if found else "No role has asked for anything yet: deploy something.")


@task
def stop(_c: Context) -> None:
    """Stop the sandbox and everything that runs in it; its state stays."""
    import sink_sandbox
    from the_sink.report import lines

    name = chosen_name()
    if sink_sandbox.stop(name):
        lines.data(f"The sandbox {name!r} is stopped; its state stays in {sink_sandbox.state_dir(name)}.")
    else:
        lines.data(f"The sandbox {name!r} was not running.")


@task
def reset(_c: Context, yes: bool = False, dry_run: bool = False) -> None:
    """Throw away everything in the sandbox; one that runs goes on, empty."""
    import sink_sandbox
    from the_sink.report import lines

    name = chosen_name()
    if dry_run:
        lines.data(f"Would throw away everything in {sink_sandbox.state_dir(name)}.")
        return
    confirm(f"Throw away everything in the sandbox {name!r}", yes=yes)
    sink_sandbox.reset(name)
    lines.data(f"The sandbox {name!r} is empty.")


def _show_patches(patches: list[dict[str, Any]], json: bool) -> None:
    from the_sink.report import lines

    if json:
        lines.data_as_json({"patches": patches})
        return
    for number, patch in enumerate(patches, 1):
        after = f"\n    after {', '.join(patch['after'])}" if patch["after"] else ""
        lines.data(f"{number:2}. {patch['name']} ({patch['module']})\n    {patch['reason']}{after}")


def _compute(kind: str, reason: str) -> str:
    """Return what plays containers and, where nobody chose it, why it is not an engine."""
    return f"{kind} ({reason})" if reason else kind


def _region() -> str:
    """Return stage's region by ``sink.toml``, else the platform's usual one."""
    from pathlib import Path

    from the_sink.config.settings import stage_region

    return stage_region(Path.cwd()) or "eu-west-1"


def chosen_name() -> str:
    """Return which sandbox is meant here: ``THE_SINK_SANDBOX``, else ``sink.toml``'s, else ``default``."""
    import os
    from pathlib import Path

    import sink_sandbox
    from the_sink.config.settings import sandbox_name

    if os.environ.get("THE_SINK_SANDBOX"):
        return sink_sandbox.default_name()
    return sandbox_name(Path.cwd()) or sink_sandbox.default_name()
