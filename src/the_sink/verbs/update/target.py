"""From which version of the template an app goes to which, and why it may not."""

from __future__ import annotations

from dataclasses import dataclass

from the_sink.config import answers
from the_sink.config.answers import Answers
from the_sink.config.problems import refusal
from the_sink.errors import ConfigError, InputError
from the_sink.local.template_source import TemplateSource
from the_sink.models import parse_version


@dataclass(frozen=True)
class Target:
    """Two commits of the template, each with what a reader calls it.

    Attributes:
        from_name: The version that the app is at.
        from_commit: Its full commit.
        to_name: The version that it goes to.
        to_commit: Its full commit.
        is_newest: Whether that is the newest released version.
    """

    from_name: str
    from_commit: str
    to_name: str
    to_commit: str
    is_newest: bool

    @property
    def is_reached(self) -> bool:
        """Whether there is nothing to do: the app is there, or past it on the way to the next version."""
        return self.from_commit == self.to_commit


def read_answers(text: str | None) -> Answers:
    """Return an app's answers, as far as an update needs them.

    Args:
        text: The file as HEAD has it, None where it has none.

    Raises:
        ConfigError: it is missing, cannot be read, or does not say where the template is.
    """
    if text is None:
        raise ConfigError(
            f"There is no {answers.FILE}: nobody knows what this app was made from.",
            f"Find the commit that removed it, git log -- {answers.FILE}, and bring it back from before: "
            f"git checkout <commit>~ -- {answers.FILE}.",
        )
    found = answers.parse_answers(text)
    if found is None:
        raise ConfigError(
            f"{answers.FILE}: it cannot be read, it is not a YAML mapping.",
            f"Bring back how it was, git log -- {answers.FILE}: git checkout <commit> -- {answers.FILE}, "
            "and commit.",
        )
    if problems := answers.check_answers(text):
        raise refusal(problems)
    return found


def choose_target(found: Answers, source: TemplateSource, wanted: str = "") -> Target:
    """Decide where an app goes.

    Args:
        found: Its answers.
        source: Where its template is.
        wanted: A version, tag, commit or branch; "" for the newest released version.

    Raises:
        InputError: the source does not have one of the two, or the app would go back.
    """
    current = source.resolve(found.commit)
    if current is None:
        raise _unknown_commit(found, source)
    if wanted:
        commit = source.resolve(wanted)
        if commit is None:
            raise InputError(
                f"The platform's template has no version or commit {wanted!r}.", _released(source)
            )
    elif source.newest is not None:
        commit = source.released[source.newest]
    else:
        raise InputError(
            f"{source.name} has no released version.", "Name a commit or a branch: invoke update --to main"
        )
    is_newest = source.newest is not None and commit == source.released[source.newest]
    target = Target(found.commit, current, _name(source, commit), commit, is_newest)
    if commit != current and _is_older(source, target):
        if not wanted:
            # Past the newest release, on the way to the next one.
            return Target(found.commit, current, found.commit, current, is_newest=False)
        raise InputError(
            f"--to {wanted}: the app is at {target.from_name}, which is newer; an update never goes back.",
            "To undo an update, revert its commit: git revert <commit>.",
        )
    return target


def _is_older(source: TemplateSource, target: Target) -> bool:
    if source.is_ancestor(target.to_commit, target.from_commit):
        return True
    versions = parse_version(target.from_name), parse_version(target.to_name)
    return versions[0] is not None and versions[1] is not None and versions[1] < versions[0]


def _name(source: TemplateSource, commit: str) -> str:
    names = [f"v{version}" for version, released in source.released.items() if released == commit]
    return names[-1] if names else source.describe(commit)


def _released(source: TemplateSource) -> str:
    versions = ", ".join(str(version) for version in source.released)
    return f"Released are: {versions}." if versions else "No version of it was released; name a commit."


def _unknown_commit(found: Answers, source: TemplateSource) -> InputError:
    message = f"{answers.FILE}: _commit is {found.commit!r}, which {source.name} does not have"
    if source.is_shallow:
        return InputError(
            f"{message}: it is a shallow clone.",
            f"Complete it: git -C {source.name} fetch --unshallow --tags.",
        )
    return InputError(
        f"{message}: the app was made from changes that were never committed there, or were thrown away.",
        f"Write the newest released version that it was made from as _commit and commit. {_released(source)}",
    )
