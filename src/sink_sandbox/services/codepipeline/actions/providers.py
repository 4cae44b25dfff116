"""Chooses who plays an action."""

from __future__ import annotations

from collections.abc import Callable

from sink_sandbox.server.clients import Clients
from sink_sandbox.services.codebuild.builds import Builds
from sink_sandbox.services.codepipeline.action_execution import ActionFailed, ActionRun, Outcome
from sink_sandbox.services.codepipeline.actions.build import play_build
from sink_sandbox.services.codepipeline.actions.cloudformation import TemplateCheck, play_stack
from sink_sandbox.services.codepipeline.actions.commands import play_commands
from sink_sandbox.services.codepipeline.actions.context import Context
from sink_sandbox.services.codepipeline.actions.ecs import play_rollout
from sink_sandbox.services.codepipeline.actions.source import play_source
from sink_sandbox.services.iam.access import RoleRefused, Roles


def make_player(
    clients: Clients, roles: Roles, builds: Builds, check_template: TemplateCheck
) -> Callable[[ActionRun], Outcome]:
    """Return the function that the engine calls for each action but approvals.

    Each is played under the pipeline's role
    (https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html), or under one of its
    own, which the pipeline's assumes
    (https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html).
    """
    providers: dict[str, Callable[[Context], Outcome]] = {
        "S3": play_source,
        "CodeBuild": play_build,
        "CloudFormation": lambda context: play_stack(context, check_template),
        "ECS": play_rollout,
        "Commands": lambda context: play_commands(context, builds),
    }

    def play(run: ActionRun) -> Outcome:
        provider = run.action["actionTypeId"]["provider"]
        if provider not in providers:
            raise ActionFailed("InvalidActionType", f"The sandbox does not play actions of {provider}.")
        try:
            credentials = roles.assume(
                run.role, "codepipeline.amazonaws.com", run.region, through=run.through
            )
        except RoleRefused as refused:
            raise ActionFailed("ConfigurationError", f"{refused}.") from refused
        return providers[provider](Context(run, clients.under(credentials)))

    return play
