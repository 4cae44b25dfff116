"""``AWS::CodeBuild::Project``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codebuild-project.html
"""

from __future__ import annotations

from ministack.services import codebuild
from ministack.services.cloudformation import provisioners

from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType
from sink_sandbox.services.cloudformation.resource_type import Place, Properties
from sink_sandbox.services.codebuild.patch.service import KEPT


class Project(EmulatedType):
    """A project with all of its settings, of which the emulator keeps some."""

    def __init__(self) -> None:
        super().__init__("AWS::CodeBuild::Project")

    def create(self, place: Place, properties: Properties) -> str:
        """Make the project."""
        return self._keep(super().create(place, properties), properties)

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Change the project."""
        return self._keep(super().update(place, physical_id, old, new), new)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return Arn."""
        return {"Arn": codebuild._project_arn(physical_id)}

    def _keep(self, name: str, properties: Properties) -> str:
        if project := codebuild._projects.get(name):
            settings = provisioners._codebuild_cfn_to_api(dict(properties))
            project.update({key: settings[key] for key in KEPT if key in settings})
        return name
