"""``update``: the platform's changes into an app, all of them or none.

Everything is tried in a copy beside the app; only a complete result is written, in one step and staged, so
that an interruption leaves the app as it was and ``git reset --hard`` brings it back afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

from the_sink.checks.validation import check_app
from the_sink.config import answers, legacy, platform_pin
from the_sink.config.files import Folder
from the_sink.config.problems import Problem, refusal
from the_sink.errors import InputError
from the_sink.local import git, unfinished_update
from the_sink.local import tool_checks as checks
from the_sink.local.scratch import make_scratch
from the_sink.local.template_checks import check_templates
from the_sink.local.template_source import TemplateSource, open_source, without_credentials
from the_sink.models import Event, Said
from the_sink.verbs.update.merge import merge_template
from the_sink.verbs.update.outcome import Outcome
from the_sink.verbs.update.target import Target, choose_target, read_answers

_STACK = "stacks/python/cfn-template.yml"


def update(root: Path, wanted: str = "", *, is_dry_run: bool = False) -> Generator[Event, None, Outcome]:
    """Bring an app to another version of its template.

    Args:
        root: The app's folder, committed.
        wanted: A version, tag, commit or branch of the template; "" for the newest released version.
        is_dry_run: Decide everything and write nothing.

    Raises:
        ConfigError: an earlier merge has left conflict markers.
        InputError: an earlier update is unfinished, the tree is not clean, the answers or the source do not
            allow an update, or ``wanted`` does not exist or is older than what the app has.
        SinkError: copier refused.
    """
    top = git.find_repository(root)
    unfinished_update.require_none(root)
    git.require_clean(
        top,
        "An update is a change of its own: git add and git commit them first, or git stash "
        "--include-untracked.",
    )
    if left := checks.check_markers(root):
        raise refusal(left)
    head = git.resolve_commit(root).sha
    inside = git.checked(root, "rev-parse", "--show-prefix").text
    done = git.call(top, "show", f"{head}:{inside}{answers.FILE}")
    if done.code and legacy.is_legacy(Folder(root)):
        raise InputError(
            "No template made this app, so there is nothing to update in its files.",
            f"Its platform's version is the commit in {platform_pin.FILE}: write a newer one there, install "
            "it, then invoke bootstrap for each environment.",
        )
    found = read_answers(None if done.code else done.output.decode("utf-8", "replace"))
    # After an interruption a git that copier had started may still write there: no reason for a traceback.
    with tempfile.TemporaryDirectory(prefix="the-sink-update-", ignore_cleanup_errors=True) as folder:
        yield Said(f"Looking at {without_credentials(found.source)}")
        source = open_source(found.source, Path(folder) / "template")
        target = choose_target(found, source, wanted)
        if target.is_reached:
            return Outcome(target, (), {}, (), is_applied=False)
        yield Said(f"Updating from {target.from_name} to {target.to_name}")
        scratch = make_scratch(top, head, Path(folder) / "app")
        merged = merge_template(scratch, inside, found, source, target)
        app = scratch.top / inside
        new = answers.parse_answers((app / answers.FILE).read_text(encoding="utf-8"))
        outcome = Outcome(
            target=target,
            files=merged.files,
            new_answers={
                name: value
                for name, value in (new.values if new else {}).items()
                if not name.startswith("_") and name not in found.values
            },
            # Markers make a file unreadable, and would be reported once more, as something else.
            problems=() if merged.unmerged else tuple(_validate(app, source, target)),
            is_applied=not is_dry_run,
        )
        if not is_dry_run:
            git.require_clean(top, "They came while the update was prepared; nothing was changed.")
            scratch.apply(merged.unmerged)
        return outcome


def _validate(app: Path, source: TemplateSource, target: Target) -> list[Problem]:
    """Return what is wrong with the updated app, by the stacks that it was updated to."""
    problems = [problem for problem in check_app(app) if not problem.is_warning]
    pin = platform_pin.parse_pin(_read(app / platform_pin.FILE))
    if pin is not None and pin.commit != target.to_commit:
        problems.append(
            Problem(
                platform_pin.FILE,
                f"it pins commit {pin.commit[:8]}, and {target.to_name} is {target.to_commit[:8]}.",
                f"Write {target.to_commit} after the @.",
            )
        )
    stack = source.read(target.to_commit, _STACK)
    if stack is not None:
        problems += checks.check_nested(app, stack)
    problems += [each for each in check_templates(app, stack).problems if not each.is_warning]
    return problems


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
