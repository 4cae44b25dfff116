"""What an execution really carries: the version of the archive that its Source action fetched.

CodePipeline shows the summary that an archive was uploaded with, and whoever uploaded it wrote that. Commit
and subject come from ``release.json`` inside the archive, and count only where the archive is, byte for byte,
the one that was written once for that commit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from the_sink.archive import Manifest, read_archive
from the_sink.aws.session import Aws
from the_sink.errors import InputError, NotFound
from the_sink.models import Release
from the_sink.models.summaries import commit_of, subject_of
from the_sink.naming import Names, release_key


@dataclass(frozen=True)
class SourceArchive:
    """The archive that an execution carries, compared with the one of its commit.

    Attributes:
        release: Commit and subject.
        key: Of the commit's archive, which it equals byte for byte.
        names_its_commit: Whether ``release.json`` inside says so; archives of the legacy platform have none,
            and their commit is what the summary or ``--commit`` names.
    """

    release: Release
    key: str
    names_its_commit: bool


def verify_source(
    aws: Aws, names: Names, bucket: str, key: str, execution_id: str, commit: str = ""
) -> SourceArchive:
    """Return what an execution carries; changes nothing.

    Args:
        aws: The environment's account.
        names: Of the app there.
        bucket: Where archives are.
        key: Of the archive that the environment follows.
        execution_id: The execution.
        commit: The commit that a person means, for an archive that names none.

    Raises:
        NotFound: the version that it carries no longer exists.
        InputError: it is not the archive of the commit that it names, or names none.
    """
    run = aws.pipelines.execution(names.pipeline, execution_id)
    version = _version_of(aws, names, execution_id) or run.revision
    found = aws.objects.describe(bucket, key, version) if version else None
    if found is None:
        raise NotFound(
            f"Execution {execution_id} carries version {version or 'unknown'} of s3://{bucket}/{key}, which "
            "does not exist any more.",
            f"End it, and deploy again: invoke reject --env {names.env}{aws.target.flags}",
        )
    content = aws.objects.read(bucket, key, version)
    claimed = commit_of(run.summary) or (commit if re.fullmatch(r"[0-9a-f]{40}", commit) else "")
    known = Manifest(names.app, claimed, subject_of(run.summary), aws.clock.utc(), "")
    manifest = _read_manifest(content, known)
    reject = f"End it: invoke reject --env {names.env}{aws.target.flags}"
    if not manifest.commit:
        raise InputError(
            f"The archive that waits for {names.env} names no commit, as those of the legacy platform, and "
            "cannot be compared with the one of its commit.",
            "Name the commit that you mean by its 40 digits, with --commit: it is compared with that.",
        )
    if manifest.app != names.app or not re.fullmatch(r"[0-9a-f]{40}", manifest.commit):
        raise InputError(
            f"What waits for {names.env} is not a release of {names.app}: its release.json names the app "
            f"{manifest.app!r} and the commit {manifest.commit!r}.",
            reject,
        )
    own_key = release_key(names.app, manifest.commit)
    stored = aws.objects.describe(bucket, own_key)
    if stored is None:
        raise InputError(
            f"What waits for {names.env} says that it is {manifest.commit[:8]}, and that commit was never "
            f"archived: there is no s3://{bucket}/{own_key}.",
            reject,
        )
    if not aws.objects.holds(bucket, stored, content):
        raise InputError(
            f"What waits for {names.env} says that it is {manifest.commit[:8]}, and is another archive than "
            f"s3://{bucket}/{own_key}.",
            f"Somebody has put it there past `invoke deploy`. {reject}",
        )
    return SourceArchive(
        Release(names.app, manifest.commit, manifest.subject), own_key, manifest is not known
    )


def _version_of(aws: Aws, names: Names, execution_id: str) -> str:
    """The version that the Source action fetched, "" where the action says none.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html
    """
    actions = aws.pipelines.actions(names.pipeline, execution_id)
    return next((run.variables.get("VersionId", "") for run in actions if run.provider == "S3"), "")


def _read_manifest(content: bytes, known: Manifest) -> Manifest:
    """Return what ``release.json`` says; ``known`` itself where there is none."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "archive.zip"
        path.write_bytes(content)
        return read_archive(path, known)[0].manifest
