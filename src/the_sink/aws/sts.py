"""STS: whose credentials these are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from the_sink.aws.target import Target
from the_sink.aws.translation import translated

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


@translated("STS")
class Identity:
    """The caller, as AWS sees it."""

    def __init__(self, client: STSClient, target: Target) -> None:
        self._client = client
        self._target = target

    def account(self) -> str:
        """Return the 12-digit account that the credentials belong to."""
        return self._client.get_caller_identity()["Account"]

    def arn(self) -> str:
        """Return the ARN of the user, or of the role's session, that the credentials belong to."""
        return self._client.get_caller_identity()["Arn"]
