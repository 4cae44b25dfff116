"""``invoke demo``: the README's journey, walked for someone to watch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.tasks.decorator import task

if TYPE_CHECKING:
    from demo.journey import Journey
    from the_sink.report.narration import Narration

SANDBOX = "demo"
STOP = f"THE_SINK_SANDBOX={SANDBOX} .venv/bin/invoke sandbox.stop"


@task
def demo(_c: Context, folder: str = "", compute: str = "") -> None:
    """Walk through the platform on a sandbox of its own: from an empty folder to prod, and a platform update.

    Args:
        folder: Where the platform's clone and the app go (default: .demo, then .demo-2 …).
        compute: What plays containers: docker or processes (default: docker where an engine answers).
    """
    from demo.journey import Journey, free_folder
    from sink_sandbox import require_compute
    from the_sink.config import load_platform
    from the_sink.errors import InputError, Interrupted, SinkError
    from the_sink.local.git import check_git
    from the_sink.report.narration import Narration

    checkout = load_platform(Path.cwd()).root
    target = Path(folder).resolve() if folder else free_folder(checkout, ".demo")
    if target.exists():
        raise InputError(f"{target} exists already.", "Name a folder that does not exist yet.")
    # Before anything of an earlier demo is thrown away.
    check_git(checkout)
    require_compute(compute)
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{target} cannot be made: {error.strerror}.", "Name another: --folder …") from error
    narration = Narration()
    journey = Journey(checkout, target, SANDBOX, narration.line, compute)
    try:
        _walk(journey, narration)
    except KeyboardInterrupt:
        # The command that was interrupted has said so.
        raise Interrupted("The demo stopped here.", _describe_rest(journey)) from None
    except SinkError as error:
        hint = "\n".join(filter(None, (error.hint, _describe_rest(journey))))
        raise type(error)(error.message, hint) from error


def _describe_rest(journey: Journey) -> str:
    """Say what a demo that stopped half-way has left, and how to stop that too."""
    import contextlib

    import sink_sandbox

    with contextlib.suppress(OSError):
        journey.folder.rmdir()  # where nothing has come into it
    rest = [f"Its folder is {journey.folder}."] if journey.folder.exists() else []
    log = sink_sandbox.state_dir(SANDBOX) / "server.log"
    if log.exists():
        rest.append(f"Its sandbox's log is {log}.")
    running = sink_sandbox.find(SANDBOX)
    if running is not None:
        rest.append(f"Its sandbox runs on, at {running.endpoint_url}. Stop it: {STOP}")
    if not journey.compute and running is not None and running.compute == "docker":
        rest.append("Without an engine: .venv/bin/invoke demo --compute processes")
    return "\n".join(rest)


def _walk(journey: Journey, narration: Narration) -> None:
    from demo.journey import APP

    narration.step("The sandbox starts; the platform goes into it")
    journey.start_sandbox()
    journey.publish_platform()

    narration.step("A new service from the template")
    journey.generate_app()

    narration.step("Its registry, secret, roles and pipeline")
    journey.bootstrap("stage")

    narration.step("Its first release")
    journey.deploy("stage")
    journey.look(journey.url("stage"))

    narration.step("A change rolls out while 50 requests a second arrive")
    journey.change_app()
    journey.deploy_under_load("stage")

    narration.step("The same release goes on to uat: nothing is built again")
    journey.bootstrap("uat")
    journey.deploy("uat")
    journey.look(journey.url("uat"))

    narration.step("And to prod, once somebody has approved it")
    journey.bootstrap("prod")
    journey.deploy_with_approval("prod")
    journey.look(journey.url("prod"))

    narration.step("Meanwhile, the team edits what the platform made")
    journey.edit_app()

    narration.step("The platform changes, for stage only")
    journey.change_platform()

    narration.step("The change arrives in the app, beside the team's own")
    journey.update_app()
    journey.deploy("stage")

    narration.step("The platform lets its change on to uat, and the app follows")
    journey.promote_platform("uat")
    journey.deploy("uat")

    narration.step("Where everything is")
    journey.status()
    narration.line(
        f"\nThe app: {journey.app}\n"
        f"Its address: {journey.url('stage')}/version\n"
        f"Look around: cd {journey.app} && .venv/bin/invoke status --sandbox\n"
        f"Change it, commit, and: .venv/bin/invoke deploy --env stage --sandbox\n"
        f"Stop everything: {STOP}\n"
        f"{APP} stays as it is; `.venv/bin/invoke sandbox.start` in its folder brings it back up. Another "
        "`invoke demo` begins with an empty sandbox and a new folder."
    )
