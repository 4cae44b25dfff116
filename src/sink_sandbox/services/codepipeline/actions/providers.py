"""Chooses the job worker of an action."""

from __future__ import annotations

from collections.abc import Callable

from sink_sandbox.server.clients import Clients
from sink_sandbox.services.codebuild.builds import Builds
from sink_sandbox.services.codepipeline.actions.build import run_build
from sink_sandbox.services.codepipeline.actions.cloudformation import TemplateCheck, run_stack
from sink_sandbox.services.codepipeline.actions.commands import run_commands
from sink_sandbox.services.codepipeline.actions.context import Context
from sink_sandbox.services.codepipeline.actions.ecs import run_rollout
from sink_sandbox.services.codepipeline.actions.source import run_source
from sink_sandbox.services.codepipeline.jobs import ActionFailed, ActionJob, Outcome
from sink_sandbox.services.iam.access import RoleRefused, Roles


def make_worker(
    clients: Clients, roles: Roles, builds: Builds, check_template: TemplateCheck
) -> Callable[[ActionJob], Outcome]:
    """Return the function that the engine calls for each action but approvals.

    Each runs under the pipeline's role
    (https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html), or under one of its
    own, which the pipeline's assumes
    (https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html).
    """
    providers: dict[str, Callable[[Context], Outcome]] = {
        "S3": run_source,
        "CodeBuild": run_build,
        "CloudFormation": lambda context: run_stack(context, check_template),
        "ECS": run_rollout,
        "Commands": lambda context: run_commands(context, builds),
    }

    def work(job: ActionJob) -> Outcome:
        provider = job.action["actionTypeId"]["provider"]
        if provider not in providers:
            raise ActionFailed("InvalidActionType", f"The sandbox does not play actions of {provider}.")
        try:
            credentials = roles.assume(
                job.role, "codepipeline.amazonaws.com", job.region, through=job.through
            )
        except RoleRefused as refused:
            raise ActionFailed("ConfigurationError", f"{refused}.") from refused
        return providers[provider](Context(job, clients.under(credentials)))

    return work
