"""Secrets Manager: whether an environment's secret exists; its value never passes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.models import Secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@translated("Secrets Manager")
class Secrets:
    """The secrets of an account and region."""

    def __init__(self, client: SecretsManagerClient, target: Target) -> None:
        self._client = client
        self._target = target

    def describe(self, name: str) -> Secret | None:
        """Return a secret without its value, or None; a deleted one is returned while it lingers."""
        try:
            found = self._client.describe_secret(SecretId=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return Secret(name=found["Name"], arn=found["ARN"], is_scheduled_for_deletion="DeletedDate" in found)

    def restore(self, name: str) -> None:
        """Take back a deletion that has not happened yet.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_restore-secret.html
        """
        self._client.restore_secret(SecretId=name)
