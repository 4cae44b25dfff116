"""IAM: what bounds a role."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated


@translated("IAM")
class Roles:
    """The roles of an account."""

    # Any: types of IAM alone would be a dependency of 700 KB for one call.
    def __init__(self, client: Any, target: Target) -> None:
        self._client = client
        self._target = target

    def boundary(self, name: str) -> str | None:
        """Return the ARN of a role's permissions boundary, "" for none; None where there is no such role.

        https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html
        """
        try:
            role = self._client.get_role(RoleName=name)["Role"]
        except ClientError as error:
            if error_code(error) == "NoSuchEntity":
                return None
            raise
        return str(role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""))
