"""Secrets Manager: whether an environment's secret exists, and for ``secrets.pull`` its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.errors import InputError
from the_sink.models import Secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_SET_IT = 'Give it a JSON object of strings: {"NAME": "value"}.'


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

    def read(self, name: str) -> str:
        """Return a secret's present value.

        Raises:
            InputError: it has none, or one that is no text.
        """
        try:
            found = self._client.get_secret_value(SecretId=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":  # it exists, its value does not
                raise InputError(f"The secret {name} has no value.", _SET_IT) from error
            raise
        if "SecretString" not in found:
            raise InputError(f"The secret {name} is binary, not text.", _SET_IT)
        return found["SecretString"]

    def restore(self, name: str) -> None:
        """Take back a deletion that has not happened yet.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_restore-secret.html
        """
        self._client.restore_secret(SecretId=name)
