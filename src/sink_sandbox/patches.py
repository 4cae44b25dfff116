"""Every change that is made to the emulator, declared in the order in which they are applied.

ministack has no extension interface, so each patch replaces functions in its modules, and some replace what
an earlier one has put there. The order is therefore part of their meaning, and it is data: the server applies
:data:`PATCHES` from the first to the last, ``invoke sandbox.status --patches`` prints them, and ``after``
says which order a patch relies on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Patch:
    """One change to the emulator."""

    name: str
    """The AWS service, or ``emulator``, and the subject."""
    module: str
    """Where it is, below ``sink_sandbox``."""
    reason: str
    """What ministack does without it, or what it is there for."""
    after: tuple[str, ...] = ()
    """The patches that must have been applied before, by name."""


class PatchError(Exception):
    """A defect of the sandbox: a patch is unknown, applied twice, out of order, or forgotten."""


PATCHES = (
    Patch(
        "iam/credentials",
        "services.iam.patch.credentials",
        "ministack takes any secret for root; here there is one. Services keep what they find at import, so "
        "this comes first.",
    ),
    Patch(
        "emulator/saving",
        "emulator.application",
        "ministack writes every state file once more at its end, over what the sandbox has saved.",
        after=("iam/credentials",),
    ),
    Patch(
        "iam/roles",
        "services.iam.patch.roles",
        "Services act under the roles that they are given, and each access of a role is recorded.",
        after=("iam/credentials",),
    ),
    Patch(
        "iam/authorization",
        "services.iam.patch.authorization",
        "ministack checks one action and often the wrong resource; AWS checks all that a request asks for. "
        "Every one of these checks is recorded.",
        after=("iam/roles",),
    ),
    Patch(
        "iam/boundaries",
        "services.iam.patch.boundaries",
        "ministack does not find a permissions boundary that a stack has made.",
    ),
    Patch(
        "emulator/executors",
        "emulator.executors",
        "ministack runs functions, jobs and resolvers as processes of this user; the sandbox refuses them.",
    ),
    Patch(
        "ecr/access",
        "services.ecr.patch.access",
        "ministack's registry asks for no permissions; ECR checks those of the role that the token is for.",
    ),
    Patch(
        "ecr/registry",
        "services.ecr.patch.registry",
        "ministack keeps layers in its state, in memory; here they are files.",
    ),
    Patch(
        "codebuild/builds",
        "services.codebuild.patch.service",
        "ministack records builds; here they run.",
    ),
    Patch(
        "codepipeline/service",
        "services.codepipeline.patch",
        "ministack has no CodePipeline.",
    ),
    Patch(
        "events/pipelines",
        "services.events.patch",
        "ministack's S3 events name no version, and its rules do not start pipelines.",
        after=("codepipeline/service",),
    ),
    Patch(
        "elb/balancers",
        "services.elb.patch.balancer",
        "ministack's load balancers answer below a path of its own; here each has an address that opens.",
    ),
    Patch(
        "ecs/services",
        "services.ecs.patch.services",
        "ministack's ECS needs Docker, and takes a deployment for complete before its targets are healthy.",
        after=("elb/balancers",),
    ),
    Patch(
        "ecs/containers",
        "services.ecs.patch.containers",
        "ministack leaves out most of what a task definition says of a container, its stop timeout too.",
    ),
    Patch(
        "ecs/history",
        "services.ecs.patch.history",
        "ministack has no history of a service's deployments.",
        after=("ecs/services",),
    ),
    Patch(
        "ecs/stop-deployment",
        "services.ecs.patch.stop_deployment",
        "ministack cannot end a service's deployment.",
        after=("ecs/history",),
    ),
    Patch(
        "ecs/stopping",
        "services.ecs.patch.stopping",
        "ministack's scheduler does not replace a task of a service that StopTask has ended.",
    ),
    Patch(
        "ecs/fargate",
        "services.ecs.patch.fargate",
        "ministack registers task sizes that Fargate does not have.",
    ),
    Patch(
        "ecs/task-roles",
        "services.ecs.patch.task_roles",
        "ministack starts tasks whatever their execution role may do, and hands them no task role.",
        after=("iam/roles",),
    ),
    Patch(
        "cloudformation/requests",
        "services.cloudformation.patch.stacks",
        "ministack accepts parameters, names, capabilities and states that CloudFormation refuses.",
    ),
    Patch(
        "cloudformation/property-types",
        "services.cloudformation.patch.property_types",
        "ministack hands properties on as the template's parser has made them, not in their schema's types.",
    ),
    Patch(
        "cloudformation/name-conflicts",
        "services.cloudformation.patch.name_conflicts",
        "ministack's stacks overwrite a resource that has the name already.",
    ),
    Patch(
        "cloudformation/stack-roles",
        "services.cloudformation.patch.stack_roles",
        "ministack ignores a stack's role. Its permission is asked before anybody learns that a name exists.",
        after=("iam/authorization", "cloudformation/requests", "cloudformation/name-conflicts"),
    ),
    Patch(
        "cloudformation/transforms",
        "services.cloudformation.patch.transforms",
        "ministack passes over transforms that do not exist, and over the permission to use one.",
        after=("iam/roles",),
    ),
    Patch(
        "cloudformation/conditions",
        "services.cloudformation.patch.conditions",
        "ministack never takes a joined list parameter for empty.",
    ),
    Patch(
        "cloudformation/exports",
        "services.cloudformation.patch.exports",
        "ministack changes and removes exports that other stacks import. It looks at conditions.",
        after=("cloudformation/conditions",),
    ),
    Patch(
        "cloudformation/update-events",
        "services.cloudformation.patch.update_events",
        "ministack reports every resource of an update, changed or not.",
    ),
    Patch(
        "cloudformation/orphans",
        "services.cloudformation.patch.orphans",
        "ministack forgets resources that a rollback or a deletion could not delete.",
    ),
    Patch(
        "cloudformation/nested",
        "services.cloudformation.patch.nested",
        "ministack skips nested stacks whose template has changed behind the same address. An update of one "
        "reports its own events, and its deletion keeps orphans.",
        after=("cloudformation/update-events", "cloudformation/orphans", "cloudformation/exports"),
    ),
    Patch(
        "cloudformation/resource-types",
        "services.cloudformation.patch.resource_types",
        "ministack lacks resource types that stacks have, and makes others with less than AWS does. The "
        "module has the table of them.",
        after=("codepipeline/service",),
    ),
    Patch(
        "elb/protection",
        "services.elb.patch.protection",
        "ministack deletes load balancers that are protected from it.",
    ),
    Patch(
        "logs/events",
        "services.logs.patch",
        "ministack's FilterLogEvents ends after one page, and reads past a prefix of stream names.",
    ),
    Patch(
        "cloudformation/template-gate",
        "services.cloudformation.patch.template_gate",
        "ministack takes templates that AWS refuses. The gate stands before every other check of a request.",
        after=("cloudformation/requests", "cloudformation/stack-roles"),
    ),
    Patch(
        "rds/instances",
        "services.rds.patch.servers",
        "ministack starts databases as containers; here they are servers of this machine.",
    ),
)


class Patcher:
    """Applies patches to the emulator of this process, each once and in the declared order."""

    def __init__(self, declared: Sequence[Patch] = PATCHES) -> None:
        """Check the declaration itself.

        Raises:
            PatchError: two patches have one name, or one comes before what it must come after.
        """
        self._declared = declared
        self._applied: list[str] = []
        names = [patch.name for patch in declared]
        for index, patch in enumerate(declared):
            if patch.name in names[:index]:
                raise PatchError(f"The patch {patch.name} is declared twice.")
            for needed in patch.after:
                if needed not in names[:index]:
                    raise PatchError(f"The patch {patch.name} must be declared after {needed}.")

    def apply(self, name: str, install: Callable[[], None]) -> None:
        """Apply the next patch.

        Raises:
            PatchError: it is not declared, has been applied, or is not the next one.
        """
        names = [patch.name for patch in self._declared]
        if name not in names:
            raise PatchError(f"The patch {name} is not declared in sink_sandbox.patches.")
        if name in self._applied:
            raise PatchError(f"The patch {name} has been applied already.")
        if name != (due := names[len(self._applied)]):
            raise PatchError(f"The patch {name} is out of order: {due} comes before it.")
        install()
        self._applied.append(name)

    def apply_rest(self, installs: Mapping[str, Callable[[], None]]) -> None:
        """Apply all that has not been applied, in the declared order; the mapping's own order means nothing.

        Raises:
            PatchError: one is missing, is not declared, or has been applied.
        """
        due = [patch.name for patch in self._declared[len(self._applied) :]]
        if forgotten := [name for name in due if name not in installs]:
            raise PatchError(f"Nothing installs {', '.join(forgotten)}.")
        for name in (*due, *(name for name in installs if name not in due)):
            self.apply(name, installs[name])

    def as_data(self) -> list[dict[str, Any]]:
        """Return what has been applied, in order: dicts with the fields of :class:`Patch`."""
        return [
            {**asdict(patch), "after": list(patch.after)} for patch in self._declared[: len(self._applied)]
        ]
