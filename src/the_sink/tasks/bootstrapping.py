"""What ``bootstrap`` asks a person: which repository's workflows deploy, and whether roles get a boundary.

Imported by the task, not by ``invoke --list``.
"""

from __future__ import annotations

import re
import sys

from the_sink.config import Settings, load_app
from the_sink.config.settings import FILE, NO_BOUNDARY
from the_sink.local import git
from the_sink.report import lines
from the_sink.tasks.asking import confirm

_WORKFLOW = ".github/workflows/deploy.yml"
_PAGE = "docs/how-to/deploy-from-github.md"


def name_repository(settings: Settings) -> Settings:
    """Return the settings with the repository whose workflows deploy, once a person has named it.

    Asked where the app has the workflow, lies on GitHub and ``sink.toml`` names no repository; the answer is
    written there. Where nobody can be asked it is said, and nothing is written.
    """
    found = git.github_repository(settings.root)
    if settings.github.repository or not found or not (settings.root / _WORKFLOW).is_file():
        return settings
    if not sys.stdin.isatty():
        lines.say(f"Warning: {FILE} has no table [github]: no workflow of {found} may deploy ({_PAGE}).")
        return settings
    if _ask(f"Shall GitHub workflows of {found} deploy this app? [y/N]").lower() not in {"y", "yes"}:
        return settings
    lines.say(
        "GitHub's numbers of its owner and of itself, which the tokens of repositories made or renamed since "
        f"July 2026 carry: gh api repos/{found} --jq '\"\\(.owner.id) \\(.id)\"'"
    )
    numbers = _ask("Both, or nothing for an older repository:").split()
    table = [f'\n[github]\nrepository = "{found}"\n']
    table += [
        f'{key} = "{number}"\n' for key, number in zip(("owner_id", "repository_id"), numbers, strict=False)
    ]
    file = settings.root / FILE
    before = file.read_text(encoding="utf-8")
    file.write_text(before + "".join(table), encoding="utf-8")
    try:
        settings = load_app(settings.root)
    except BaseException:
        file.write_text(before, encoding="utf-8")
        raise
    lines.say(f"Written into {FILE}; commit it.")
    return settings


def confirm_boundary(env: str, roles: tuple[str, ...], *, yes: bool) -> None:
    """Ask before roles that have no permissions boundary get one; without any, nothing is asked.

    Raises:
        InputError: the answer was no, or there is nobody to ask.
    """
    if not roles:
        return
    lines.say(f"These roles of {env} have no permissions boundary:")
    for role in roles:
        lines.say(f"  {role}")
    lines.say(
        f'To leave them so, write permissions_boundary = "{NO_BOUNDARY}" under [environments.{env}] of '
        f'{FILE} and "PermissionsBoundaryArn": "" into aws/cfn-template-configuration-{env}.json.'
    )
    confirm("Put the boundary on them, the app's own with its next deploy", yes=yes)


def _ask(question: str) -> str:
    sys.stderr.write(f"{question} ")
    sys.stderr.flush()
    # A pasted line may hold what no answer does: it goes into a file.
    return re.sub(r"[^\w .-]", "", sys.stdin.readline()).strip()
