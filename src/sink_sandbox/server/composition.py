"""What the sandbox adds to the emulator, put together: builds, pipelines, processes, and their state.

Each part is made with what it needs; then the patches are applied, in :mod:`sink_sandbox.patches`' order.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from sink_sandbox.containers.addresses import host_address, listen_addresses
from sink_sandbox.containers.choice import Compute
from sink_sandbox.patches import Patcher
from sink_sandbox.server.clients import Clients
from sink_sandbox.services.cloudformation.template_gate import StackTemplate, TemplateGate
from sink_sandbox.services.codebuild.aws_command import AwsCommand
from sink_sandbox.services.codebuild.builds import Builds
from sink_sandbox.services.codebuild.jq_command import install_jq_command
from sink_sandbox.services.codebuild.runner import BuildHost
from sink_sandbox.services.codepipeline.actions.context import Context
from sink_sandbox.services.codepipeline.actions.providers import make_worker
from sink_sandbox.services.codepipeline.service import CodePipeline
from sink_sandbox.services.elb.peer import find_peer
from sink_sandbox.services.iam.access import AccessLog
from sink_sandbox.services.rds import DatabaseServers


class Services:
    """The added services of one sandbox."""

    def __init__(
        self, home: Path, endpoint_url: str, port: int, compute: Compute, secret: str, patcher: Patcher
    ) -> None:
        from sink_sandbox.emulator import executors
        from sink_sandbox.services.cloudformation.patch import (
            conditions,
            exports,
            name_conflicts,
            nested,
            nested_templates,
            orphans,
            property_types,
            resource_types,
            simulated,
            stack_roles,
            stacks,
            template_gate,
            transforms,
            update_events,
        )
        from sink_sandbox.services.codebuild.patch import service as codebuild
        from sink_sandbox.services.codepipeline import patch as pipelines
        from sink_sandbox.services.ecr.patch import access as registry_access
        from sink_sandbox.services.ecr.patch import registry
        from sink_sandbox.services.ecs.patch import (
            containers,
            fargate,
            history,
            stop_deployment,
            stopping,
            task_roles,
        )
        from sink_sandbox.services.ecs.patch.services import TaskSupervisor
        from sink_sandbox.services.elb.patch import protection
        from sink_sandbox.services.elb.patch.balancer import Balancers
        from sink_sandbox.services.events import patch as events
        from sink_sandbox.services.iam.patch import authorization, boundaries, role_reach, roles
        from sink_sandbox.services.logs import patch as logs
        from sink_sandbox.services.rds.patch import servers as rds

        clients = Clients(endpoint_url, secret)
        self.accesses = AccessLog()
        self._roles = roles.ServiceRoles(self.accesses)
        self._aws_command = AwsCommand(home)
        docker_folder = cache(compute.install_docker_command)
        jq_folder = cache(partial(install_jq_command, home))

        def command_folders() -> list[Path]:
            return [docker_folder(), *filter(None, (self._aws_command.folder(), jq_folder()))]

        gate = TemplateGate(home / "lint")

        def check_template(context: Context, text: str, parameters: dict[str, str]) -> None:
            nested_ones = nested_templates.nested_templates(text, parameters, context.job.region)
            path = context.job.configuration["TemplatePath"].partition("::")[2]
            gate.check(
                [StackTemplate(path, text, parameters), *nested_ones], context.job.region, context.wait
            )

        self._builds = Builds(BuildHost(home, clients, self._roles, command_folders))
        self._pipelines = CodePipeline(
            make_worker(clients, self._roles, self._builds, check_template),
            events.PipelineEvents(clients, self._roles),
        )
        engine = compute.engine
        self._compute = compute
        self.registry: Any = registry.Registry(home, port, secret)
        is_alone = compute.kind == "processes"
        # Containers see their network's gateway, which is not loopback either.
        peer = find_peer() if is_alone else ""
        self.balancers: Any = Balancers(port, engine.resolve_target, peer, is_alone)
        self._tasks = TaskSupervisor(engine, self.balancers, peer)
        servers = DatabaseServers(home, host_address(compute.kind), listen_addresses(compute.gateway)[1:])
        self._databases = rds.DatabaseInstances(servers)
        patcher.apply_rest(
            {
                "cloudformation/conditions": conditions.install,
                "cloudformation/exports": exports.install,
                "cloudformation/name-conflicts": name_conflicts.install,
                "cloudformation/nested": nested.install,
                "cloudformation/orphans": orphans.install,
                "cloudformation/property-types": property_types.install,
                "cloudformation/requests": stacks.install,
                "cloudformation/resource-types": partial(
                    resource_types.install,
                    resource_types.resource_types(self._pipelines, self.balancers, self._databases),
                ),
                "cloudformation/stack-roles": partial(stack_roles.install, self._roles),
                "cloudformation/template-gate": partial(template_gate.install, gate),
                "cloudformation/transforms": partial(transforms.install, self._roles),
                "cloudformation/update-events": update_events.install,
                "codebuild/builds": partial(codebuild.install, self._builds),
                "codepipeline/service": partial(pipelines.install, self._pipelines),
                "ecr/access": registry_access.RegistryAccess(self._roles, secret).install,
                "ecr/registry": self.registry.install,
                "ecs/containers": partial(containers.install, home / "efs"),
                "ecs/fargate": fargate.install,
                "ecs/history": history.install,
                "ecs/services": self._tasks.install,
                "ecs/stop-deployment": stop_deployment.install,
                "ecs/stopping": stopping.install,
                "ecs/task-roles": partial(task_roles.install, self._roles),
                "elb/balancers": self.balancers.install,
                "elb/protection": protection.install,
                "emulator/executors": executors.install,
                "events/pipelines": partial(events.install, self._pipelines, self._roles),
                "iam/authorization": authorization.install,
                "iam/boundaries": boundaries.install,
                "iam/roles": self._roles.install,
                "logs/events": logs.install,
                "rds/instances": self._databases.install,
            }
        )
        self._effectless = simulated.simulated
        self._unread = (role_reach.unread_policies, boundaries.unread_boundaries, gate.notes)
        self._read_only_roots = containers.read_only_roots

    def simulated(self) -> list[str]:
        """Return one sentence for each kind of resource that is not, or not wholly, what it is on AWS."""
        read_only = self._read_only_roots() if self._compute.kind == "processes" else []
        notes = [*self._tasks.notes(), *self.balancers.notes(), *self._databases.notes()]
        unread = [sentence for sentences in self._unread for sentence in sentences()]
        return [*self._effectless(), *unread, *read_only, *notes]

    def start(self, state_dir: Path) -> None:
        """Take up what was saved."""
        self._compute.install_docker_command()  # for `runtimes.publish` too, before any build
        self._databases.start()  # before the tasks that need them
        saved = state_dir / "codepipeline.json"
        if saved.exists():
            self._pipelines.store.load(saved.read_bytes())
        self._pipelines.engine.recover()

    def stop(self) -> None:
        """End what is at work; services start their tasks again with the sandbox."""
        self._pipelines.engine.shut_down()
        self._builds.stop_all()
        self._aws_command.stop()
        self._tasks.stop()
        self._databases.stop()
        self._compute.close()

    def stop_work(self) -> None:
        """End builds and executions because everything is about to be forgotten."""
        self._builds.stop_all()
        self._pipelines.engine.forget()

    def end_tasks(self) -> None:
        """End the processes of services that are no more."""
        self._tasks.reset()
        self._databases.reset()
        self._roles.forget()
        self.accesses.clear()

    def snapshot(self) -> dict[str, bytes]:
        """Return the state as the content of its files."""
        return {"codepipeline": self._pipelines.store.dump()}
