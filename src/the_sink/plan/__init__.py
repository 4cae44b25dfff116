"""What a verb will do, decided before it does anything: desired and observed state in, steps out (no I/O).

``--dry-run`` prints the steps; without it the verb carries out the same list. A request that cannot be
met is refused here, so that a refusal leaves nothing half-made.
"""

from __future__ import annotations

from the_sink.plan.bootstrap import (
    BootstrapObserved,
    RestoreSecret,
    StopSelfStarted,
    check_order,
    check_platform,
    plan_bootstrap,
)
from the_sink.plan.deploy import (
    DeployObserved,
    FollowExecution,
    ReleaseArchive,
    ReuseArchive,
    VerifyServing,
    plan_deploy,
)
from the_sink.plan.network import check_network
from the_sink.plan.publish import MoveChannel, PublishObserved, plan_publish
from the_sink.plan.stacks import ApplyStack, DeleteStack, MakeServiceRole, WaitForStack, plan_stack
from the_sink.plan.steps import PutOnce, Step
from the_sink.plan.template_promotion import (
    ChannelsObserved,
    CopyVersion,
    Promotion,
    check_promotable,
    next_promotion,
    plan_promotion,
    promoted_channels,
)

__all__ = [
    "ApplyStack",
    "BootstrapObserved",
    "ChannelsObserved",
    "CopyVersion",
    "DeleteStack",
    "DeployObserved",
    "FollowExecution",
    "MakeServiceRole",
    "MoveChannel",
    "Promotion",
    "PublishObserved",
    "PutOnce",
    "ReleaseArchive",
    "RestoreSecret",
    "ReuseArchive",
    "Step",
    "StopSelfStarted",
    "VerifyServing",
    "WaitForStack",
    "check_network",
    "check_order",
    "check_platform",
    "check_promotable",
    "next_promotion",
    "plan_bootstrap",
    "plan_deploy",
    "plan_promotion",
    "plan_publish",
    "plan_stack",
    "promoted_channels",
]
