"""``rollback``: which release an environment goes back to, and what that does not undo.

Going back is a deploy of a release that the ledger knows: its archive is copied to the key that the
environment follows, Build takes the image that was admitted then, and CloudFormation sets the stack to what
that release declares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from the_sink.archive import Archive
from the_sink.aws.session import Aws
from the_sink.config.environment_file import file_name
from the_sink.config.procfile import FILE as PROCFILE
from the_sink.config.procfile import parse_procfile
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import parse_template
from the_sink.errors import InputError, NotFound
from the_sink.models import UNKNOWN_COMMIT, ReleaseRecord
from the_sink.naming import Names, release_key
from the_sink.verbs.promote import fetch_archive
from the_sink.verbs.serving import describe_serving

_MIGRATIONS = "/migrations/"
"""The folder of a new app's migrations; one that has another keeps what it changed all the same."""

_NAMED = 5
"""How many of a list's items are named in a sentence."""


@dataclass(frozen=True)
class Past:
    """The releases of an environment that a rollback chooses from.

    Attributes:
        serving: The record of the release that serves; None where nothing does, or nothing of the ledger.
        candidates: The releases to go back to, newest first, one for each commit: without what serves.
        previous: The one that served before what serves now, not counting what was rolled back; None if there
            is none.
    """

    serving: ReleaseRecord | None
    candidates: tuple[ReleaseRecord, ...]
    previous: ReleaseRecord | None


@dataclass(frozen=True)
class RollbackTarget:
    """What an environment goes back to.

    Attributes:
        record: The release's record.
        archive: Its bytes, fetched to this machine.
        kept: What going back does not undo, a sentence each.
    """

    record: ReleaseRecord
    archive: Archive
    kept: tuple[str, ...]


def describe_past(aws: Aws, names: Names, bucket: str) -> Past:
    """Return what an environment can go back to; changes nothing.

    Raises:
        InputError: the ledger has no release of the app there.
    """
    records = tuple(
        each for each in aws.ledger.releases(bucket, names.app, names.env) if each.commit != UNKNOWN_COMMIT
    )
    if not records:
        raise InputError(
            f"The ledger has no release of {names.app} in {names.env}, so there is nothing to go back to.",
            "Its pipeline writes it when a release serves. An older release is deployed by its commit: "
            f"invoke deploy --env {names.env} --commit SHA --yes{aws.target.flags}",
        )
    serving = describe_serving(aws, names, None)
    digest = serving.digest if serving else ""
    serves = next((each for each in records if digest and each.digest == digest), None)
    candidates: dict[str, ReleaseRecord] = {}
    for record in records:
        if serves is None or record.commit != serves.commit:
            candidates.setdefault(record.commit, record)
    previous = _find_previous(records, serves) if serves else records[0]
    return Past(serves, tuple(candidates.values()), previous)


def _find_previous(records: Sequence[ReleaseRecord], serves: ReleaseRecord) -> ReleaseRecord | None:
    """Return the release before the one that serves.

    Where that was itself gone back to, what was rolled back is skipped: two rollbacks in a row go back twice.
    """
    position = records.index(serves)
    while records[position].rolled_back_from:
        older = range(position + 1, len(records))
        original = next((i for i in older if records[i].commit == serves.commit), None)
        if original is None:
            break
        position = original
    return next((each for each in records[position + 1 :] if each.commit != serves.commit), None)


def choose_target(aws: Aws, names: Names, past: Past, commit: str) -> ReleaseRecord:
    """Return the record of the release to go back to.

    Args:
        aws: The environment's account, for its flags.
        names: Of the app there.
        past: What there is.
        commit: How the commit begins; "" for the previous release.

    Raises:
        InputError: there is no such release, it serves already, or several begin like that.
    """
    see = f"See what there is: invoke history --env {names.env}{aws.target.flags}"
    if not commit:
        if past.previous is None:
            raise InputError(
                f"No release of {names.app} served in {names.env} before the one that does.", see
            )
        return past.previous
    if past.serving and past.serving.commit.startswith(commit):
        raise InputError(
            f"{past.serving.commit[:8]} {past.serving.subject!r} serves in {names.env} already.",
            f"To run its pipeline again, should the stack have changed: invoke deploy --env {names.env} "
            f"--commit {past.serving.commit[:8]} --again{aws.target.flags}",
        )
    found = [each for each in past.candidates if each.commit.startswith(commit)]
    if len(found) > 1:
        raise InputError(
            f"{commit} begins {len(found)} commits that served in {names.env}.", "Give more digits."
        )
    if not found:
        raise InputError(f"{commit} never served in {names.env}: the ledger has no record of it.", see)
    return found[0]


def fetch_target(
    aws: Aws, names: Names, bucket: str, past: Past, record: ReleaseRecord, folder: Path
) -> RollbackTarget:
    """Return the release to go back to with its archive, and what it does not undo; changes nothing in AWS.

    Raises:
        NotFound: its archive has expired.
    """
    archive, contents = _fetch(aws, names, bucket, record, folder)
    kept: list[str] = []
    if past.serving is not None:
        try:
            _, newer = _fetch(aws, names, bucket, past.serving, folder)
        except NotFound:
            kept.append(
                f"The archive of {past.serving.commit[:8]} has expired: what it changed is not known."
            )
        else:
            kept += compare_releases(names.env, past.serving.commit[:8], newer, contents)
    secret = aws.secrets.describe(names.secret)
    if secret and secret.changed_at and secret.changed_at > record.finished_at:
        kept.append(
            f"The secret {names.secret} was changed at {secret.changed_at:%Y-%m-%d %H:%M} UTC, after that "
            "release served: it stays as it is."
        )
    return RollbackTarget(record, archive, tuple(kept))


def compare_releases(
    env: str, newer_name: str, newer: Mapping[str, bytes], older: Mapping[str, bytes]
) -> tuple[str, ...]:
    """Return what going back from one release's files to another's does not undo, a sentence each (pure).

    Args:
        env: The environment's name.
        newer_name: What the release that serves is called.
        newer: Its files by path.
        older: Those of the release to go back to.
    """
    kept = []
    added = sorted(path for path in newer if _MIGRATIONS in f"/{path}" and path not in older)
    migrates = "release" in parse_procfile(newer.get(PROCFILE, b"").decode(errors="replace"))[0]
    if added:
        kept.append(
            f"The database stays as {len(added)} newer migration{'s' * (len(added) > 1)} left it: "
            f"{_list(added)}. The release before must be able to work with that."
        )
    elif migrates:
        kept.append("The database stays as it is: no migration was added, and none is undone.")
    gone = sorted(_resources(newer) - _resources(older))
    if gone:
        kept.append(
            f"The stack loses what {newer_name} added to {TEMPLATE_FILE}: {_list(gone)}. Data in it goes, "
            "unless its DeletionPolicy keeps it."
        )
    back = sorted(_resources(older) - _resources(newer))
    if back:
        kept.append(f"What {newer_name} took out of {TEMPLATE_FILE} is made anew, and empty: {_list(back)}.")
    changed = [
        path for path in (TEMPLATE_FILE, file_name(env)) if newer.get(path, b"") != older.get(path, b"")
    ]
    if changed:
        differ = "differs" if len(changed) == 1 else "differ"
        kept.append(
            f"The stack changes too, to what that release declares: {' and '.join(changed)} {differ}."
        )
    return tuple(kept)


def _fetch(
    aws: Aws, names: Names, bucket: str, record: ReleaseRecord, folder: Path
) -> tuple[Archive, dict[str, bytes]]:
    key = release_key(names.app, record.commit)
    stored = aws.objects.describe(bucket, key)
    if stored is None:
        raise NotFound(
            f"The archive of {record.commit[:8]} does not exist any more: there is no s3://{bucket}/{key}.",
            f"Make it again from the commit: invoke deploy --env {names.env} --commit {record.commit[:8]} "
            f"--yes{aws.target.flags}",
        )
    return fetch_archive(aws, bucket, names.app, record.commit, stored, folder)


def _resources(files: Mapping[str, bytes]) -> set[str]:
    template, _ = parse_template(files.get(TEMPLATE_FILE, b"{}").decode(errors="replace"))
    resources = template.get("Resources")
    return set(resources) if isinstance(resources, dict) else set()


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return f"{', '.join(items[:_NAMED])}{more}"
