"""What the job workers share: reading and writing artifacts, waiting, and telling errors as AWS does."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from sink_sandbox.server.clients import Clients
from sink_sandbox.services.codebuild.packages import PackageError, read_member
from sink_sandbox.services.codepipeline.executions import Location
from sink_sandbox.services.codepipeline.jobs import ActionFailed, ActionJob, Cancelled

POLL_S = 0.1


class Context:
    """A job with the means to work on it."""

    def __init__(self, job: ActionJob, clients: Clients) -> None:
        self.job = job
        self._clients = clients

    def client(self, service: str) -> Any:
        """A client in the action's region, under the action's role."""
        return self._clients.get(service, self.job.region)

    def output_location(self, artifact: str, suffix: str = "") -> Location:
        """Return a fresh place for an output artifact, named as AWS names them."""
        alphabet = string.ascii_letters + string.digits
        unique = "".join(secrets.choice(alphabet) for _ in range(7))
        return Location(self.job.artifact_store, f"{self.job.pipeline[:20]}/{artifact[:10]}/{unique}{suffix}")

    def read(self, reference: str) -> bytes:
        """Return the file that ``Artifact::path`` names.

        Raises:
            ActionFailed: the artifact is not an input, or has no such file.
        """
        artifact, separator, path = reference.partition("::")
        if not separator or artifact not in self.job.inputs:
            raise ActionFailed(
                "ConfigurationError", f"{reference} does not name a file of an input artifact."
            )
        return self.read_file(artifact, path)

    def read_file(self, artifact: str, path: str) -> bytes:
        """Return a file of an input artifact."""
        location = self.job.inputs[artifact]
        with aws_errors():
            content = self.client("s3").get_object(Bucket=location.bucket, Key=location.key)["Body"].read()
        try:
            return read_member(content, path)
        except PackageError as error:
            raise ActionFailed("ConfigurationError", f"The artifact {artifact}: {error}.") from error

    def read_json(self, reference: str) -> Any:
        """Return the content of a JSON file that ``Artifact::path`` names."""
        try:
            return json.loads(self.read(reference))
        except ValueError as error:
            raise ActionFailed("ConfigurationError", f"{reference} is not valid JSON: {error}.") from error

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Poll until done.

        Raises:
            Cancelled: the execution was abandoned.
        """
        while not is_done():
            if self.job.cancelled.wait(POLL_S):
                raise Cancelled


@contextmanager
def aws_errors(code: str = "") -> Iterator[None]:
    """Turn an error answer of AWS into the action's failure."""
    try:
        yield
    except ClientError as error:
        answer = error.response["Error"]
        raise ActionFailed(code or answer["Code"], f"{answer['Message']} ({answer['Code']})") from error
