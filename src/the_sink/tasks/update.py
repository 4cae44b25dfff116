"""``invoke update``: the platform's changes come into the app.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context

from the_sink.errors import SinkError
from the_sink.tasks.decorator import task


@task
def update(_c: Context, to: str = "", dry_run: bool = False) -> None:
    """Bring the platform's changes into the app, beside the team's own; nothing of theirs is lost.

    Args:
        to: A version, tag, commit or branch of the platform (default: the newest released version).
        dry_run: Show what would become of each file, and change nothing.
    """
    from pathlib import Path

    from the_sink.config import find_app
    from the_sink.report import lines, updates
    from the_sink.report.events import watch
    from the_sink.verbs.update.update import update as bring

    outcome = watch(bring(find_app(Path.cwd()), to, is_dry_run=dry_run))
    lines.data(updates.render_outcome(outcome))
    if trouble := updates.describe_trouble(outcome):
        raise SinkError(*trouble)
    if outcome.is_applied:
        lines.say(updates.render_next_steps(outcome))
