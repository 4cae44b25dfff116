"""The release ledger: one record for each release that a pipeline brought to serve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

UNKNOWN_COMMIT = "unknown"
"""What a record says of an archive of the legacy platform that nothing names the commit of."""


@dataclass(frozen=True)
class ReleaseRecord:
    """What ``sink-build record`` has written of one release, at the end of its execution.

    Attributes:
        app: The app.
        env: Where it was released.
        commit: 40 hexadecimal digits, or :data:`UNKNOWN_COMMIT`.
        subject: The commit message's first line.
        execution_id: Of the pipeline.
        archive_key: Of the archive that the execution carried.
        archive_version: Its version in S3.
        repository: Where the image is.
        tag: That Build named it by, "" where it named the digest.
        digest: Of the image.
        runtime_digest: Of the runtime image that it is made from, "" where it does not say.
        template_version: Of the template that the app was at, "" where the archive does not say.
        released_by: As the client claimed it; "" where it did not.
        approved_by: As CodePipeline reports it; "" where nobody was asked.
        admitted_by: ``build``, or the key of the record that admitted the image.
        started_at: When the execution began.
        finished_at: When the release served.
        rolled_back_from: The commit whose place it took by ``rollback``, as the client claimed it; "" of
            every other release.
    """

    app: str
    env: str
    commit: str
    subject: str
    execution_id: str
    archive_key: str
    archive_version: str
    repository: str
    tag: str
    digest: str
    runtime_digest: str
    template_version: str
    released_by: str
    approved_by: str
    admitted_by: str
    started_at: datetime
    finished_at: datetime
    rolled_back_from: str = ""
