"""``AWS::RDS::DBInstance``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from ministack.services import rds
from ministack.services.cloudformation import engine, provisioners

from sink_sandbox.errors import SinkError
from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType
from sink_sandbox.services.cloudformation.resource_type import Place, Properties
from sink_sandbox.services.rds.patch.servers import (
    INSTANCE,
    NO_DATA,
    DatabaseInstances,
    is_real,
    make_sentence,
)


class Instance(EmulatedType):
    """An instance; one of PostgreSQL is complete when its server answers."""

    waits = True  # everything else would stand still while a server starts
    called_by_name = MappingProxyType(
        {"create": "_rds_db_instance_create", "delete": "_rds_db_instance_delete"}
    )

    def __init__(self, databases: DatabaseInstances) -> None:
        super().__init__(INSTANCE)
        self._databases = databases

    def create(self, place: Place, properties: Properties) -> str:
        """Make the instance and start its server.

        Raises:
            ValueError: there is one of that name, it is to be made from a snapshot, or its server does not
                start.
        """
        properties = _resolved(properties)
        name = properties.get("DBInstanceIdentifier")
        if name and name in rds._instances:
            raise ValueError("DB instance already exists")
        if snapshot := properties.get("DBSnapshotIdentifier"):
            raise ValueError(NO_DATA if _is_kept(snapshot) else f"DBSnapshot {snapshot} not found.")
        physical_id = super().create(place, properties)
        instance = rds._instances[physical_id]
        if is_real(instance):
            try:
                self._databases.bring_up(instance)
            except SinkError as error:
                super().delete(physical_id, properties)
                raise ValueError(make_sentence(error)) from error
        return physical_id

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Change the instance.

        Raises:
            ValueError: the change would replace an instance that keeps its name.
        """
        old, new = _resolved(old), _resolved(new)
        _refuse_replacement(old, new)
        before = rds._instances.get(physical_id)
        endpoint = dict(before["Endpoint"]) if before else {}
        updated_id = super().update(place, physical_id, old, new)
        instance = rds._instances[updated_id]
        if updated_id == physical_id and is_real(instance):
            instance["Endpoint"].update(endpoint)  # the port is the server's, whatever Port says
            self._databases.rotate(instance, "", instance["_MasterUserPassword"])
        return updated_id

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the instance and its server.

        Raises:
            ValueError: it is protected from deletion.
        """
        instance = rds._instances.get(physical_id)
        if instance and instance.get("DeletionProtection"):
            raise ValueError(
                "Cannot delete protected DB Instance, please disable deletion protection and try again."
            )
        super().delete(physical_id, properties)
        if instance and is_real(instance):
            self._databases.forget(instance)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, Any]:
        """Return its endpoint, its ARN and what else the emulator knows of it."""
        found: dict[str, Any] = provisioners._rds_db_instance_attrs(rds._instances[physical_id])
        return found


def _resolved(props: Properties) -> dict[str, Any]:
    """Properties with the values of secrets; inside a nested stack the emulator leaves the references."""
    return dict(engine._resolve_dynamic_references(dict(props))[0])


def _refuse_replacement(old: Properties, new: Properties) -> None:
    """Refuse what CloudFormation would make another instance for, under a name that the old one has.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
    """
    name, snapshot = "DBInstanceIdentifier", "DBSnapshotIdentifier"
    is_another = provisioners._requires_replacement(INSTANCE, old, new) or old.get(snapshot) != new.get(
        snapshot
    )
    if is_another and old.get(name) and old.get(name) == new.get(name):
        raise ValueError(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
            f"{old[name]} and update the stack again."
        )


def _is_kept(snapshot: str) -> bool:
    return snapshot.rpartition(":snapshot:")[2] in rds._snapshots
