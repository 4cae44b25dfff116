"""RDS: whether a database may be deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

_MISSING = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})


@translated("RDS")
class Databases:
    """The database instances of an account and region."""

    def __init__(self, client: RDSClient, target: Target) -> None:
        self._client = client
        self._target = target

    def is_protected(self, identifier: str) -> bool:
        """Return whether RDS refuses to delete an instance; False where there is none.

        https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html
        """
        try:
            found = self._client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
        except ClientError as error:
            if error_code(error) in _MISSING:
                return False
            raise
        return any(each.get("DeletionProtection", False) for each in found)
