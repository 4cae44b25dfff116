"""Which release ``deploy`` ships: the commit that is checked out or named, or what was promoted so far.

An environment that follows the archive ``latest`` takes commits; any other takes what the environment
before it has. Imported by the task that deploys, not by ``invoke --list``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from the_sink.archive import Archive
from the_sink.checks.validation import check_release
from the_sink.config import Environment, Settings
from the_sink.config.files import Tree
from the_sink.config.problems import Problem, warnings_of
from the_sink.errors import InputError
from the_sink.local import git, unfinished_update
from the_sink.local.comparison import compare_with_commit
from the_sink.local.package import check_commit, package_commit
from the_sink.naming import DEFAULT_TAGS
from the_sink.report import lines
from the_sink.tasks.asking import confirm
from the_sink.tasks.connection import connect_to
from the_sink.verbs.databases import describe_loss
from the_sink.verbs.promote import Candidate, find_candidate, is_older


@dataclass(frozen=True)
class Choice:
    """The release that was chosen, on this machine.

    Attributes:
        archive: Its bytes.
        candidate: What is known of it where it is promoted; None where it was packed from its commit.
    """

    archive: Archive
    candidate: Candidate | None = None

    @property
    def announcement(self) -> str:
        """The line that begins a deploy, up to the environment's name."""
        manifest = self.archive.manifest
        what = f"{manifest.commit[:8]} {manifest.subject!r}"
        return f"Promoting {what} from {self.candidate.source}" if self.candidate else f"Deploying {what}"


def describe_releaser(folder: Path, environ: Mapping[str, str]) -> str:
    """Return who releases, as they claim: who started the workflow, else git's identity, else "".

    https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    """
    if environ.get("GITHUB_ACTIONS") == "true" and (actor := environ.get("GITHUB_ACTOR")):
        repository = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}"
        return f"{actor} ({repository}/actions/runs/{environ.get('GITHUB_RUN_ID', '')})"
    return git.describe_identity(folder)


def is_promotion(environment: Environment) -> bool:
    """Say whether an environment takes what the one before it has, and no commits."""
    return environment.tag != DEFAULT_TAGS["stage"]


def choose_commit(settings: Settings, environment: Environment, commit: str, folder: Path) -> Choice:
    """Pack a commit of this repository; "" means HEAD, with nothing uncommitted.

    Raises:
        SinkError: there is no such commit, it is no app, or what is checked out differs from it.
    """
    git.check_git(settings.root)
    chosen = git.resolve_commit(settings.root, commit)
    if not commit:
        unfinished_update.require_none(settings.root)
        git.require_clean(settings.root)
    _warn(check_commit(settings, chosen, environment.name, is_checked_out=not commit))
    return Choice(package_commit(settings, chosen, folder))


def choose_promoted(
    settings: Settings, environment: Environment, commit: str, folder: Path, *, sandbox: bool
) -> Choice:
    """Fetch what serves in the environment before, or the archive of ``commit``.

    Raises:
        SinkError: there is nothing of the kind, its files are wrong for this environment, or they are others
            than this clone has in its commit.
    """
    source = settings.before(environment.name)
    aws = connect_to(source, sandbox=sandbox)
    candidate = find_candidate(aws, settings, source.name, find_commit(settings, commit), folder)
    if difference := compare_with_commit(settings, candidate.archive, candidate.release.commit):
        lines.say(f"Warning: {difference}")
    _warn(
        warnings_of(
            check_release(Tree(candidate.contents), settings, environment.name), candidate.release.short
        )
    )
    return Choice(candidate.archive, candidate)


def confirm_release(
    settings: Settings, environment: Environment, choice: Choice, *, sandbox: bool, yes: bool
) -> None:
    """Ask about what a deploy should not usually do: promote what never served, or go back.

    Raises:
        InputError: the answer was no, or there is nobody to ask.
    """
    if yes:
        return
    archive, candidate = choice.archive, choice.candidate
    short = archive.manifest.commit[:8]
    if candidate and not candidate.has_served:
        confirm(
            f"{short} was never deployed well in {candidate.source}; promote it to {environment.name} "
            "all the same",
            yes=yes,
        )
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    newer = is_older(
        aws,
        settings,
        environment.name,
        archive,
        lambda older, later: git.is_ancestor(settings.root, older, later),
        archive.path.parent,
    )
    if newer:
        confirm(f"{short} is older than {newer[:8]}, which serves in {environment.name}; go back", yes=yes)


def confirm_database(environment: Environment, database: str, *, yes: bool) -> None:
    """Ask before a release takes a database away, "" being none.

    Raises:
        InputError: the answer was no, or there is nobody to ask.
    """
    if database:
        confirm(describe_loss(environment.name, database), yes=yes)


def find_commit(settings: Settings, commit: str) -> str:
    """Return the full SHA that git knows by a name; the beginning of a SHA that it does not know as it is.

    A clone need not have every commit whose release exists.

    Raises:
        InputError: git knows no such name, and it is no beginning of a SHA.
    """
    if not commit:
        return ""
    try:
        return git.resolve_commit(settings.root, commit).sha
    except InputError:
        if len(commit) >= 4 and set(commit) <= set("0123456789abcdef"):
            return commit
        raise


def _warn(problems: Sequence[Problem]) -> None:
    for problem in problems:
        lines.say(problem.line)
