"""Which release a promotion takes on: an archive that exists and has served in the environment before.

The first half of ``deploy --env uat``: it finds the release and looks at its files with the target's eyes.
The second half is the same deploy as everywhere, with this archive instead of one made from the commit;
inside one account that only copies the object, its bytes do not pass through this machine again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from the_sink.archive import Archive, Manifest, read_archive
from the_sink.aws.session import Aws
from the_sink.config import Settings
from the_sink.errors import AccessError, InputError, NotFound
from the_sink.models import UNKNOWN_COMMIT, EnvironmentStatus, Release, StoredObject
from the_sink.models.summaries import commit_of, subject_of
from the_sink.naming import Names, release_key
from the_sink.verbs.archives import summary_of
from the_sink.verbs.platform.stack import describe_platform
from the_sink.verbs.status import describe_environment

_RECENT = 5
"""Records of the ledger among which that of what serves is looked for; each costs a call."""

_HISTORY = 100
"""Releases that are looked through for one: as many executions as one call of CodePipeline returns.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListPipelineExecutions.html
"""

Ancestry = Callable[[str, str], "bool | None"]
"""Says whether the first commit is part of the second's history; None where that is not known."""


@dataclass(frozen=True)
class Candidate:
    """A release that is to be promoted.

    Attributes:
        release: Commit and subject.
        source: The environment that it comes from.
        archive: Its bytes, fetched to this machine.
        contents: Its files by path.
        has_served: Whether it was deployed well in the environment it comes from.
    """

    release: Release
    source: str
    archive: Archive
    contents: Mapping[str, bytes]
    has_served: bool


def find_candidate(aws: Aws, settings: Settings, source: str, commit: str, folder: Path) -> Candidate:
    """Return the release to promote and fetch its archive; changes nothing in AWS.

    Args:
        aws: The account of the environment that it comes from.
        settings: The app's.
        source: That environment's name.
        commit: A full SHA, or the beginning of one; "" for what serves there now.
        folder: Where the archive is put.

    Raises:
        NotFound: the environment does not exist.
        InputError: nothing serves there; the commit was never archived, or several begin like that.
    """
    names = Names(settings.app, source)
    bucket = describe_platform(aws, settings.platform).bucket
    status = describe_environment(aws, names)
    if not status.is_bootstrapped:
        raise NotFound(
            f"{names.app} has no {source} in account {aws.account}, {aws.target.region}, to promote from.",
            f"First: invoke bootstrap --env {source}{aws.target.flags}",
        )
    if commit:
        sha = _find_archived(aws, bucket, names, commit)
    else:
        sha = _find_serving(aws, names, bucket, status)
        if not sha:
            raise InputError(
                f"Nothing serves in {source} yet, so there is nothing to promote.",
                f"First: invoke deploy --env {source}{aws.target.flags}",
            )
    key = release_key(names.app, sha)
    stored = aws.objects.describe(bucket, key)
    if stored is None:
        raise _never_archived(names, sha[:8], bucket, aws.target.flags)
    archive, contents = fetch_archive(aws, bucket, names.app, sha, stored, folder)
    return Candidate(
        release=Release(names.app, sha, archive.manifest.subject),
        source=source,
        archive=archive,
        contents=contents,
        has_served=sha == status.commit or sha in _find_released(aws, names, bucket),
    )


def is_older(
    aws: Aws, settings: Settings, env: str, archive: Archive, is_part_of: Ancestry, folder: Path
) -> str:
    """Return the commit that serves in ``env`` if the release in ``archive`` is older than it, "" otherwise.

    By their history where this clone has both commits and one led to the other, else by when each was
    committed. An archive may have come to its bucket long after that, from another account's.

    Args:
        aws: The account of ``env``.
        settings: The app's.
        env: Where the release is to go.
        archive: The release.
        is_part_of: Knows the history.
        folder: Where the archive of the release that serves is put if it must be read.
    """
    serving = describe_environment(aws, Names(settings.app, env)).commit
    commit = archive.manifest.commit
    if not serving or serving == commit:
        return ""
    known = is_part_of(commit, serving)
    if known is None or (not known and not is_part_of(serving, commit)):
        bucket = describe_platform(aws, settings.platform).bucket
        stored = aws.objects.describe(bucket, release_key(settings.app, serving))
        known = False
        if stored is not None:
            theirs, _ = fetch_archive(aws, bucket, settings.app, serving, stored, folder)
            known = archive.manifest.committed_at < theirs.manifest.committed_at
    return serving if known else ""


def fetch_archive(
    aws: Aws, bucket: str, app: str, sha: str, stored: StoredObject, folder: Path
) -> tuple[Archive, dict[str, bytes]]:
    """Bring an archive to this machine; return it and its files."""
    path = folder / f"{sha}.zip"
    path.write_bytes(aws.objects.read(bucket, stored.key, stored.version_id))
    # An archive of the legacy platform does not say when it was committed.
    known = Manifest(app, sha, subject_of(summary_of(stored)), stored.stored_at or aws.clock.utc(), "")
    return read_archive(path, known)


def _find_archived(aws: Aws, bucket: str, names: Names, commit: str) -> str:
    """Return the full SHA of the one archive that begins so."""
    if re.fullmatch(r"[0-9a-f]{40}", commit):
        return commit
    archived = re.compile(rf"{re.escape(names.app)}/([0-9a-f]{{40}})\.zip")
    keys = (archived.fullmatch(key) for key in aws.objects.keys(bucket, f"{names.app}/{commit}"))
    found = [match[1] for match in keys if match]
    if not found:
        raise _never_archived(names, commit, bucket, aws.target.flags)
    if len(found) > 1:
        raise InputError(
            f"{commit} begins {len(found)} archived commits: {', '.join(found[:5])}.", "Give more digits."
        )
    return found[0]


def _never_archived(names: Names, commit: str, bucket: str, flags: str) -> InputError:
    return InputError(
        f"{commit} was never archived: s3://{bucket}/{names.app}/ has no release of it.",
        f"What is promoted was deployed before: invoke deploy --env stage --commit {commit}{flags}",
    )


def _find_serving(aws: Aws, names: Names, bucket: str, status: EnvironmentStatus) -> str:
    """Return the commit that serves in an environment, "" if none does.

    The ledger knows it by the image's digest. Where it does not, because the environment has none yet or a
    role that is older than it may not read it, the image's tag does; that of a legacy buildspec names no
    commit, and the last execution that went well does.
    """
    if status.serving is None:
        return ""
    with suppress(AccessError):
        for record in aws.ledger.releases(bucket, names.app, names.env, _RECENT):
            if record.digest == status.serving.digest and record.commit != UNKNOWN_COMMIT:
                return record.commit
    return status.commit or next(filter(None, _find_history(aws, names)), "")


def _find_released(aws: Aws, names: Names, bucket: str) -> Collection[str]:
    """Return the commits that were released to an environment, by its ledger, else by its pipeline."""
    try:
        found = aws.ledger.commits(bucket, names.app, names.env)
    except AccessError:
        found = frozenset()
    return found or _find_history(aws, names)


def _find_history(aws: Aws, names: Names) -> tuple[str, ...]:
    runs = aws.pipelines.executions(names.pipeline, _HISTORY)
    return tuple(commit_of(run.summary) for run in runs if run.is_success)
