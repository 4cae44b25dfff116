"""Secrets Manager: an environment's secret, whether it exists, its value, and a new value in its place."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.errors import InputError, SinkError
from the_sink.models import Secret, SecretValue

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_CURRENT = "AWSCURRENT"
_LABEL = "the-sink-"
_REFUSALS = frozenset({"InvalidParameterException", "InvalidRequestException"})

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
        return Secret(
            name=found["Name"],
            arn=found["ARN"],
            is_scheduled_for_deletion="DeletedDate" in found,
            changed_at=found.get("LastChangedDate"),
        )

    def read(self, name: str) -> SecretValue:
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
        return SecretValue(found["VersionId"], found["SecretString"])

    def replace(self, name: str, before: SecretValue, text: str) -> None:
        """Give a secret a new value, if nobody has given it one since ``before`` was read.

        The new version gets a label of its own first; then ``AWSCURRENT`` moves to it, which Secrets
        Manager refuses if the label is no longer where this request says that it is:
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html

        Args:
            name: The secret's.
            before: What :meth:`read` returned.
            text: The new value.

        Raises:
            SinkError: somebody else changed the secret meanwhile; it keeps what they gave it.
        """
        # The version's id too: the client's own retries store no second version.
        token = str(uuid.uuid4())
        label = f"{_LABEL}{token}"
        self._client.put_secret_value(
            SecretId=name, SecretString=text, ClientRequestToken=token, VersionStages=[label]
        )
        try:
            self._client.update_secret_version_stage(
                SecretId=name,
                VersionStage=_CURRENT,
                MoveToVersionId=token,
                RemoveFromVersionId=before.version_id,
            )
        except ClientError as error:
            if error_code(error) not in _REFUSALS or self._current_version(name) == before.version_id:
                raise
            raise SinkError(
                f"Somebody else changed the secret {name} meanwhile; nothing of yours was stored.",
                "Look at what is there now, then run the same command again.",
            ) from error
        finally:
            # A version that keeps a label is never deleted: https://docs.aws.amazon.com/secretsmanager/
            # latest/userguide/whats-in-a-secret.html#term_version
            self._client.update_secret_version_stage(
                SecretId=name, VersionStage=label, RemoveFromVersionId=token
            )

    def _current_version(self, name: str) -> str:
        versions = self._client.describe_secret(SecretId=name).get("VersionIdsToStages", {})
        return next((each for each, labels in versions.items() if _CURRENT in labels), "")

    def restore(self, name: str) -> None:
        """Take back a deletion that has not happened yet.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_restore-secret.html
        """
        self._client.restore_secret(SecretId=name)
