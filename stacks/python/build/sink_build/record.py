"""``sink-build record``: what serves now is tagged, and written into the release ledger.

The pipeline's last action, as the pipeline's role. Everything in the record is what AWS, the archive or the
admission says; who released is what the client claims, because AWS does not know.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from sink_build.errors import CommandFailed
from sink_build.ledger import FORMAT
from sink_build.source import read_source
from sink_build.stage import Stage, read_stage
from sink_build.times import format_time, read_clock

_BASE_DIGEST = "org.opencontainers.image.base.digest"
"""The label by which an image names the runtime image that it was made from."""


def run(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Move the tag to the image that was rolled out, and record the release.

    Run again, it leaves both as they are.

    Raises:
        CommandFailed: the image was not admitted to this environment for this commit.
    """
    stage = read_stage("record", environ, arguments)
    execution = stage.executions.read(stage.execution_id)
    source = read_source(stage.aws, stage.bucket, stage.app, stage.archive_key, execution.source_version)
    digest = _read_digest(stage)
    admission = stage.ledger.read(stage.ledger.admission_key(stage.env, source.commit, digest))
    if admission is None:
        raise CommandFailed(
            f"{digest} was rolled out to {stage.env} and was never admitted there as {source.commit[:8]}."
        )
    moved = stage.repository.move_tag(stage.moving_tag, digest)
    print(f"{stage.moving_tag} {'is now' if moved else 'was already'} {digest}.")
    key = stage.ledger.release_key(stage.env, source.commit, stage.execution_id)
    record = {
        "format": FORMAT,
        "app": stage.app,
        "env": stage.env,
        "commit": source.commit,
        "subject": source.subject,
        "execution_id": stage.execution_id,
        "archive": {"key": source.key, "version_id": source.version_id},
        "image": admission["image"],
        "runtime_digest": _read_runtime_digest(stage, digest),
        "template_version": source.template_version or None,
        "released_by": source.released_by or None,
        "rolled_back_from": source.rolled_back_from or None,
        "approved_by": execution.approved_by,
        "admitted_by": admission["admitted_by"],
        "started_at": format_time(execution.started),
        "finished_at": format_time(read_clock()),
    }
    written = stage.ledger.write_once(key, record)
    print(f"Release recorded as {key}." if written else f"The release is recorded already as {key}.")


def _read_digest(stage: Stage) -> str:
    """Return the digest that UpdateService gave the service's container."""
    definitions = json.loads(stage.definitions.read_bytes())
    for each in definitions:
        if each["name"] == stage.container:
            return str(each["imageUri"]).partition("@")[2]
    raise CommandFailed(f"imagedefinitions.json names no image for the container {stage.container}.")


def _read_runtime_digest(stage: Stage, digest: str) -> Any:
    """Return the digest of the runtime image that a release is made from, None where it does not say.

    The image's configuration is a blob like its layers, and is fetched like one:
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
    """
    configuration = json.loads(stage.repository.read_manifest(digest)["imageManifest"]).get("config")
    if not configuration:
        return None
    answer = stage.aws.call(
        *("ecr", "get-download-url-for-layer", "--repository-name", stage.repository.name),
        *("--layer-digest", configuration["digest"]),
    )
    try:
        with urllib.request.urlopen(answer["downloadUrl"], timeout=30) as content:  # noqa: S310 - AWS's own
            labels = (json.load(content).get("config") or {}).get("Labels") or {}
    except (urllib.error.URLError, ValueError) as error:
        print(f"The configuration of {digest} cannot be read ({error}): its runtime is not recorded.")
        return None
    return labels.get(_BASE_DIGEST)
