"""IAM's service-linked roles: whether a service has the role that it acts under, and making it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, error_text, translated

ECS = "ecs.amazonaws.com"


@translated("IAM")
class ServiceRoles:
    """The service-linked roles of an account, which all its regions share."""

    # Any: types of IAM alone would be a dependency of 700 KB for two calls.
    def __init__(self, client: Any, target: Target) -> None:
        self._client = client
        self._target = target

    def exists(self, service: str) -> bool:
        """Return whether a service has its role, by the path that all of them have.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
        """
        return bool(self._client.list_roles(PathPrefix=f"/aws-service-role/{service}/")["Roles"])

    def create(self, service: str) -> None:
        """Make the role of a service; one that somebody else has made meanwhile is as good.

        https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html
        """
        try:
            self._client.create_service_linked_role(AWSServiceName=service)
        except ClientError as error:
            is_there = error_code(error) == "EntityAlreadyExists" or "has been taken" in error_text(error)
            if not is_there:
                raise
