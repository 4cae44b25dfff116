"""``AWS::SecretsManager::Secret``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secret.html
"""

from __future__ import annotations

from ministack.services import secretsmanager

from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType
from sink_sandbox.services.cloudformation.resource_type import Place, Properties


class Secret(EmulatedType):
    """A secret; ``Ref`` is its ARN, where the emulator has its name."""

    def __init__(self) -> None:
        super().__init__("AWS::SecretsManager::Secret")

    def create(self, place: Place, properties: Properties) -> str:
        """Make the secret.

        Raises:
            ValueError: there is one of that name, or one that waits for its deletion.
        """
        name = properties.get("Name")
        known = secretsmanager._secrets.get(name) if name else None
        if known is not None:
            state = "is already scheduled for deletion" if known.get("DeletedDate") else "already exists"
            raise ValueError(
                f'Resource handler returned message: "The operation failed because the secret {name} '
                f'{state}. (Service: SecretsManager)" (HandlerErrorCode: AlreadyExists)'
            )
        return _arn_of(super().create(place, properties))

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Change the secret."""
        return _arn_of(super().update(place, _name_of(physical_id), old, new))

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the secret."""
        super().delete(_name_of(physical_id), properties)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return Id and Arn, which are the same."""
        return {"Id": physical_id, "Arn": physical_id}


def _arn_of(name: str) -> str:
    return str(secretsmanager._secrets[name]["ARN"])


def _name_of(arn: str) -> str:
    for name, secret in secretsmanager._secrets.items():
        if secret["ARN"] == arn:
            return str(name)
    return arn
