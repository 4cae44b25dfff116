"""RDS with real servers: an instance of PostgreSQL is available when its server answers, and not before.

ministack records instances, and starts containers for those that its own API creates; here each one, made by
a stack or by the API, has a server of ``sandbox.databases``. Other engines stay recorded, and say so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import rds
from ministack.services.cloudformation import _stacks, provisioners

from sink_host.postgres_programs import ADMIN
from sink_sandbox.errors import SinkError
from sink_sandbox.services.cloudformation.patch.stack_events import StackEvent, Tell, intercept_events
from sink_sandbox.services.rds import DatabaseServers

logger = logging.getLogger(__name__)

INSTANCE = "AWS::RDS::DBInstance"
CLUSTER = "AWS::RDS::DBCluster"
_ATTACHMENT = "AWS::SecretsManager::SecretTargetAttachment"

_ONLY_RECORDED = "The sandbox only records this database: none runs at its address."

NO_DATA = "The sandbox records snapshots and replicas without their data: nothing can be made from one."

Instance = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


class DatabaseInstances:
    """Keeps the emulator's instances and the servers in step."""

    def __init__(self, servers: DatabaseServers) -> None:
        self._servers = servers
        self._problems: dict[str, str] = {}

    def install(self) -> None:
        """Put servers behind the emulator's instances."""
        rds._get_docker = lambda: None  # its own containers for databases are not wanted beside ours
        self._install_api()
        _own_up()

    def start(self) -> None:
        """Start the servers of the instances that were there before; what prevents one is kept to be told."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._take_up, list(_instances())))

    def stop(self) -> None:
        """Stop every server; they come back with the sandbox."""
        self._servers.stop_all()

    def reset(self) -> None:
        """Remove every server because the sandbox is emptied."""
        self._problems.clear()
        self._servers.reset()

    def notes(self) -> list[str]:
        """Return what a person must know of the databases: what is recorded only, what does not run."""
        real = [instance for _, instance in _instances()]
        notes = []
        if real:
            notes.append(
                f"{INSTANCE}: PostgreSQL on this machine, in the version that is installed here; class, "
                "storage, encryption, backups and snapshots are recorded"
            )
        kinds = [
            resource
            for _, stack in _stacks.all_items()
            for resource in stack.get("_resources", {}).values()
            if resource.get("ResourceType") in (INSTANCE, CLUSTER)
        ]
        identifiers = {instance["DBInstanceIdentifier"] for instance in real}
        if any(resource.get("PhysicalResourceId") not in identifiers for resource in kinds):
            notes.append("AWS::RDS::*: a database of another engine than postgres is recorded; none runs")
        return notes + [f"{INSTANCE} {key}: {problem}" for key, problem in self._problems.items()]

    # The API

    def _install_api(self) -> None:
        actions = rds._ACTION_MAP
        actions["CreateDBInstance"] = self._create(actions["CreateDBInstance"])
        actions["DeleteDBInstance"] = self._delete(actions["DeleteDBInstance"])
        actions["DescribeDBInstances"] = self._describe(actions["DescribeDBInstances"])
        actions["StopDBInstance"] = self._switch(actions["StopDBInstance"], self._halt)
        actions["StartDBInstance"] = self._switch(actions["StartDBInstance"], self.bring_up)
        for action in ("RestoreDBInstanceFromDBSnapshot", "CreateDBInstanceReadReplica"):
            actions[action] = _refuse_without_data
        rds._rotate_instance_password = self.rotate
        finish = rds._finish_instance_reboot

        def finish_reboot(instance: Instance, cluster: Any) -> None:
            if is_real(instance):
                self._halt(instance)
                self._try_up(instance)
            finish(instance, cluster)

        rds._finish_instance_reboot = finish_reboot

    def _create(self, create: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
        def create_instance(params: Any) -> Answer:
            if rds._p(params, "MasterUsername") == ADMIN:
                return rds._error(
                    "InvalidParameterValue",
                    f"MasterUsername {ADMIN} cannot be used as it is a reserved word used by the engine",
                    400,
                )
            answer = create(params)
            instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
            if answer[0] != 200 or not instance or not is_real(instance):
                return answer
            instance["DBInstanceStatus"] = "creating"
            account, region = get_account_id(), get_region()

            def work() -> None:
                with request_scope(account, region):
                    self._try_up(instance)

            answer = rds._single_instance_response(
                "CreateDBInstanceResponse", "CreateDBInstanceResult", instance
            )
            spawn_background(work, thread_name=f"sandbox-database-{instance['DBInstanceIdentifier'][:12]}")
            return answer

        return create_instance

    def _delete(self, delete: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
        def delete_instance(params: Any) -> Answer:
            instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
            answer = delete(params)
            if answer[0] == 200 and instance and is_real(instance):
                self.forget(instance)
            return answer

        return delete_instance

    def _describe(self, describe: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
        def describe_instances(params: Any) -> Answer:
            for instance in list(rds._instances.values()):
                if is_real(instance) and instance["DBInstanceStatus"] in ("available", "failed"):
                    answers = self._servers.is_running(_key(instance))
                    instance["DBInstanceStatus"] = "available" if answers else "failed"
            return describe(params)

        return describe_instances

    def _switch(
        self, switch: Callable[[Any], Answer], change: Callable[[Instance], None]
    ) -> Callable[[Any], Answer]:
        def switch_instance(params: Any) -> Answer:
            instance = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
            if instance and is_real(instance):
                try:
                    change(instance)
                except SinkError as error:
                    return rds._error("InvalidDBInstanceState", make_sentence(error), 400)
            return switch(params)

        return switch_instance

    # Servers

    def bring_up(self, instance: Instance) -> None:
        """Start its server; the instance then says where it is and that it is available."""
        if instance["MasterUsername"] == ADMIN:
            raise SinkError(
                f"MasterUsername {ADMIN} cannot be used as it is a reserved word used by the engine"
            )
        key = _key(instance)
        host, port = self._servers.start(
            key, instance["MasterUsername"], instance["_MasterUserPassword"], instance["DBName"] or "postgres"
        )
        self._problems.pop(key, None)
        instance["Endpoint"].update(Address=host, Port=port)
        instance["DBInstanceStatus"] = "available"

    def _try_up(self, instance: Instance) -> None:
        try:
            self.bring_up(instance)
        except SinkError as error:
            self._problems[_key(instance)] = make_sentence(error)
            instance["DBInstanceStatus"] = "failed"
            logger.warning("%s does not run: %s", _key(instance), make_sentence(error))
        if instance.get("_deleting"):
            self.forget(instance)

    def _take_up(self, found: tuple[tuple[str, str], Instance]) -> None:
        (account, region), instance = found
        if instance["DBInstanceStatus"] == "stopped":
            return
        former = dict(instance["Endpoint"])
        with request_scope(account, region):
            self._try_up(instance)
            if instance["Endpoint"] != former:
                _tell_secrets(instance["DBInstanceIdentifier"])

    def _halt(self, instance: Instance) -> None:
        self._servers.stop(_key(instance))

    def forget(self, instance: Instance) -> None:
        """Remove its server and its data."""
        self._problems.pop(_key(instance), None)
        self._servers.remove(_key(instance))

    def rotate(self, instance: Instance, _old: str, new: str) -> None:
        """Give its server another password; one that does not run gets it when it starts."""
        if is_real(instance) and self._servers.is_running(_key(instance)):
            self._servers.change_password(_key(instance), instance["MasterUsername"], new)


def _instances() -> Iterator[tuple[tuple[str, str], Instance]]:
    """Every instance with a server, with its account and region."""
    for key, instance in list(rds._instances.all_items()):
        if is_real(instance):
            yield (key[0], key[1]), instance


def is_real(instance: Instance) -> bool:
    """Whether a server stands behind the instance."""
    return instance.get("Engine") == "postgres" and not instance.get("DBClusterIdentifier")


def _key(instance: Instance) -> str:
    _, _, _, region, account, _, name = instance["DBInstanceArn"].split(":", 6)
    return f"{account}-{region}-{name}"


def make_sentence(error: SinkError) -> str:
    """Return an error with its next step."""
    return f"{error.message} {error.hint}".strip()


def _refuse_without_data(_params: Any) -> Answer:
    return rds._error("InvalidDBSnapshotState", NO_DATA, 400)


def _tell_secrets(identifier: str) -> None:
    """Write an instance's new address into the secrets that are attached to it."""
    for stack_name, stack in list(_stacks.items()):
        for resource in stack.get("_resources", {}).values():
            props = resource.get("Properties") or {}
            if resource.get("ResourceType") == _ATTACHMENT and props.get("TargetId") == identifier:
                provisioners._RESOURCE_HANDLERS[_ATTACHMENT]["update"](
                    resource["PhysicalResourceId"], props, props, stack_name
                )


def _own_up() -> None:
    """Let no event call a database complete that does not run, where AWS gives no reason."""

    def handle(event: StackEvent, tell: Tell) -> None:
        if event.resource_type in (INSTANCE, CLUSTER) and event.status in (
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
        ):
            instance = rds._instances.get(event.physical_id) if event.resource_type == INSTANCE else None
            if not instance or not is_real(instance):
                event = replace(event, reason=event.reason or _ONLY_RECORDED)
        tell(event)

    intercept_events(handle)
