"""``AWS::IAM::OIDCProvider``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-oidcprovider.html
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, now_iso
from ministack.services import iam

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType


class OidcProvider(ResourceType):
    """A provider of identities; ``Ref`` is its ARN."""

    def create(self, place: Place, properties: Properties) -> str:
        """Make the provider.

        Raises:
            ValueError: there is one for the address.
        """
        host = properties["Url"].removeprefix("https://").rstrip("/")
        arn = f"arn:aws:iam::{get_account_id()}:oidc-provider/{host}"
        if arn in iam._oidc_providers:
            raise ValueError(
                f"Provider with url {properties['Url']} already exists. (HandlerErrorCode: AlreadyExists)"
            )
        known = {"Arn": arn, "Url": host, "CreateDate": now_iso()}
        iam._oidc_providers[arn] = {**known, **_settings(properties)}
        return arn

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Change its audiences, thumbprints and tags; one that was deleted behind the stack is made again."""
        if physical_id not in iam._oidc_providers:
            return self.create(place, new)
        iam._oidc_providers[physical_id].update(_settings(new))
        return physical_id

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Forget the provider."""
        iam._oidc_providers.pop(physical_id, None)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return Arn."""
        return {"Arn": physical_id}


def _settings(properties: Properties) -> dict[str, Any]:
    return {
        "ClientIDList": list(properties.get("ClientIdList") or []),
        "ThumbprintList": list(properties.get("ThumbprintList") or []),
        "Tags": list(properties.get("Tags") or []),
    }
