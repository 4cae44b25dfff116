"""An environment: whether it may be made now, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from the_sink.errors import InputError, NotFound
from the_sink.models import Secret, Stack
from the_sink.naming import Names
from the_sink.plan.stacks import plan_stack
from the_sink.plan.steps import Step


@dataclass(frozen=True)
class StopSelfStarted(Step):
    """Stop the run that AWS starts because a pipeline was created."""

    pipeline: str

    def __str__(self) -> str:
        return f"stop the run that pipeline {self.pipeline} starts by itself when it is created"


@dataclass(frozen=True)
class RestoreSecret(Step):
    """Take back the deletion of a secret that AWS still holds."""

    name: str

    def __str__(self) -> str:
        return f"restore secret {self.name}, which is waiting to be deleted"


@dataclass(frozen=True)
class BootstrapObserved:
    """What an environment finds when it is bootstrapped."""

    pipeline: Stack | None
    secret: Secret | None


def check_platform(
    platform: str, observed: Stack | None, account: str, region: str, flags: str = ""
) -> Stack:
    """Return the platform's stack; ``flags`` ends the command in the hint.

    Raises:
        NotFound: there is none, or its creation never ended well.
    """
    where = f"account {account}, {region}"
    hint = f"In the platform's repository: invoke platform.bootstrap{flags}"
    if observed is None or observed.status.is_never_created:
        raise NotFound(f"There is no platform {platform!r} in {where}.", hint)
    if observed.status.must_be_deleted or observed.status.name == "CREATE_IN_PROGRESS":
        raise NotFound(f"The platform {platform!r} in {where} is half-made ({observed.status}).", hint)
    return observed


def check_order(app: str, env: str, earlier: Mapping[str, bool], flags: str = "") -> None:
    """Refuse an environment whose predecessors do not exist.

    Args:
        app: The app's name.
        env: The environment that is to be.
        earlier: The environments before it, and whether each is bootstrapped.
        flags: End the command in the hint.

    Raises:
        InputError: naming the first environment that is missing.
    """
    for name, exists in earlier.items():
        if not exists:
            raise InputError(
                f"{app} has no {name} yet, and {env} is only reached through it.",
                f"First: invoke bootstrap --env {name}{flags}",
            )


def plan_bootstrap(
    names: Names,
    observed: BootstrapObserved,
    *,
    template: str,
    declared: frozenset[str],
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    may_delete: bool,
) -> tuple[Step, ...]:
    """Return the steps that create an environment's delivery or bring it up to date.

    A secret that an earlier stack left behind is adopted by a new one, with everything in it.

    Args:
        names: Of the app in this environment.
        observed: What is there.
        template: What the stack is made from.
        declared: The template's parameters.
        parameters: Those to set.
        tags: The stack's tags.
        may_delete: Whether a stack whose creation failed may be deleted to start over.

    Raises:
        SinkError: the stack is stuck in a state that only a person may leave.
    """
    steps: list[Step] = []
    secret, stack = observed.secret, observed.pipeline
    if secret is not None and secret.is_scheduled_for_deletion:
        steps.append(RestoreSecret(secret.name))
    is_new = stack is None or stack.status.is_never_created or stack.status.must_be_deleted
    adopted = {"ExistingSecretArn": secret.arn if secret else ""} if is_new else {}
    steps += plan_stack(
        names.pipeline_stack,
        stack,
        template=template,
        declared=declared,
        parameters={**parameters, **adopted},
        tags=tags,
        may_delete=may_delete,
    )
    if is_new:
        steps.append(StopSelfStarted(names.pipeline))
    return tuple(steps)
