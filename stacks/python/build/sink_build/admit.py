"""``sink-build admit``: only an image that this commit's own build made, or the ledger names, rolls out.

Runs between Build and CloudFormation as the pipeline's role. A tag proves nothing: whoever may push to the
repository may have pushed it, before the commit that it names was even built. What counts is what
CodePipeline, CodeBuild, ECR and the ledger say. Whatever the buildspec is, it only names the image.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sink_build.errors import CommandFailed
from sink_build.images import Image, Repository
from sink_build.ledger import FORMAT
from sink_build.source import UNKNOWN, Source, read_source
from sink_build.stage import Stage, read_stage
from sink_build.times import format_time, read_clock

BY_BUILD = "build"
"""``admitted_by`` of an image that was pushed during a build of its commit."""


def run(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Admit what ``imagedefinitions.json`` names, and put its digests in the place of its tags.

    Raises:
        CommandFailed: an image is not admitted, or the archive is not that of its commit.
    """
    stage = read_stage("admit", environ, arguments)
    version = stage.executions.read(stage.execution_id).source_version
    source = read_source(stage.aws, stage.bucket, stage.app, stage.archive_key, version)
    _check_that_it_was_promoted(stage, source)
    definitions = _read_definitions(stage.definitions)
    admitted = []
    for definition in definitions:
        image = stage.repository.resolve(str(definition["imageUri"]))
        admitted_by = _admit(stage, source, image)
        admitted.append({**definition, "imageUri": f"{image.name}@{image.digest}"})
        print(f"Admitted {image.digest} to {stage.env} as {source.commit}, by {admitted_by}.")
    _replace(stage.definitions, json.dumps(admitted))


def _check_that_it_was_promoted(stage: Stage, source: Source) -> None:
    """Refuse an archive that names no commit where releases come from the environment before.

    `invoke deploy` promotes commits. Without one, neither an archive nor a release could be held against
    anything, and whoever may put the environment's archive would choose what runs there.

    Raises:
        CommandFailed: it names none.
    """
    if stage.promoted_from and source.commit == UNKNOWN:
        raise CommandFailed(
            f"The archive that this execution carries names no commit, and {stage.env} takes releases of "
            f"{stage.promoted_from} only.",
            f"Deploy a commit: invoke deploy --env {stage.env} --commit SHA",
        )


def _admit(stage: Stage, source: Source, image: Image) -> str:
    """Return what an image is admitted by, having recorded it.

    Raises:
        CommandFailed: nothing admits it.
    """
    key = stage.ledger.admission_key(stage.env, source.commit, image.digest)
    if stage.ledger.read(key) is not None:
        return key
    admitted_by = _find_reason(stage, source, image)
    stage.ledger.write_once(
        key,
        {
            "format": FORMAT,
            "app": stage.app,
            "env": stage.env,
            "commit": source.commit,
            "execution_id": stage.execution_id,
            "image": {
                "repository": stage.repository.name,
                "tag": image.tag or None,
                "digest": image.digest,
            },
            "admitted_by": admitted_by,
            "admitted_at": format_time(read_clock()),
        },
    )
    return admitted_by


def _find_reason(stage: Stage, source: Source, image: Image) -> str:
    if source.commit != UNKNOWN:
        found = stage.ledger.find_release(stage.ledger.read_environments(), source.commit, image.digest)
        if found:
            return found
    if not _is_built_for(stage, source, image):
        raise CommandFailed(
            f"The image {_name(stage, image)} is not admitted to {stage.env}: it was pushed at "
            f"{format_time(image.pushed_at)}, by no build of {_short(source.commit)} in this pipeline, and "
            "no release of that commit names it.",
            "Whoever may push to the repository has put it there beforehand. Commit anew, and deploy that.",
        )
    return _find_origin(stage, source, image) or BY_BUILD


def _is_built_for(stage: Stage, source: Source, image: Image) -> bool:
    """Whether an image came into the repository while this pipeline built this very commit.

    In this execution as a rule. In an earlier one of the same commit, where that failed after its push: the
    tag is there, and Build makes nothing anew.
    """
    build = stage.executions.find_build(image.pushed_at)
    if build is None:
        return False
    if build.execution_id == stage.execution_id:
        return True
    if source.commit == UNKNOWN:
        return False
    version = stage.executions.read(build.execution_id).source_version
    try:
        earlier = read_source(stage.aws, stage.bucket, stage.app, stage.archive_key, version)
    except CommandFailed:
        return False  # its archive has expired, or was not that of its commit
    return earlier.commit == source.commit


def _find_origin(stage: Stage, source: Source, image: Image) -> str:
    """Return the record of the release that Build took over from the environment before; "" if it built anew.

    Raises:
        CommandFailed: it took over an image that was never released there as this commit.
    """
    if not stage.promoted_from:
        return ""
    before = Repository(stage.aws, f"{stage.app}-{stage.promoted_from}")
    copies = before.find_copies(stage.repository, image.digest)
    if not copies:
        return ""
    for digest in copies:
        found = stage.ledger.find_release((stage.promoted_from,), source.commit, digest)
        if found:
            return found
    raise CommandFailed(
        f"The image {_name(stage, image)} is not admitted to {stage.env}: it comes from {before.name}, and "
        f"the ledger of {stage.promoted_from} names it for no release of {_short(source.commit)}.",
        f"Deploy that commit to {stage.promoted_from} first; an environment that was bootstrapped before "
        "version 1.1 has no ledger until it is bootstrapped again.",
    )


def _read_definitions(path: Path) -> Sequence[Any]:
    """Return what Build wants to roll out.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/file-reference.html#pipelines-create-image-definitions
    """
    try:
        found = json.loads(path.read_bytes())
        is_valid = bool(found) and all(each["name"] and each["imageUri"] for each in found)
    except (OSError, ValueError, KeyError, TypeError):
        is_valid = False
    if not is_valid:
        raise CommandFailed(
            "The build has put out no imagedefinitions.json with a name and an imageUri in each entry.",
            "aws/buildspec.yaml writes it and names it under artifacts.",
        )
    return list(found)


def _replace(path: Path, text: str) -> None:
    """Write a file of the platform's where one of the build's was, which may have been a link."""
    path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _name(stage: Stage, image: Image) -> str:
    return f"{stage.repository.name}:{image.tag}" if image.tag else f"{stage.repository.name}@{image.digest}"


def _short(commit: str) -> str:
    return "this archive" if commit == UNKNOWN else commit[:8]
