"""``bootstrap``: an environment's registry, secret, roles and pipeline exist, and nothing of it runs yet.

AWS starts a pipeline by itself when it is created
(https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-rerun-manually.html). That run is no
release: it would fail for want of an archive, or deploy whichever archive an earlier life of the
environment left. It is told by its trigger ``CreatePipeline`` and abandoned once the stack stands: with
an old archive at hand its Source, and perhaps the beginning of its Build, may have run by then. Where it
failed before that, its record stays (AWS deletes none); ``status`` and ``deploy`` pass over it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial

from the_sink.aws.session import Aws
from the_sink.config import Environment, Settings
from the_sink.errors import InputError, SinkError
from the_sink.models import Event, Said, Stack, StackApplied
from the_sink.naming import DEFAULT_TAGS, SINK_BUILD, STACK_TEMPLATE, Names
from the_sink.plan import BootstrapObserved, RestoreSecret, Step, StopSelfStarted, check_order, plan_bootstrap
from the_sink.verbs import stacks
from the_sink.verbs.boundaries import find_unbounded
from the_sink.verbs.platform.stack import Platform, RuntimeRegistry, describe_platform, require_runtimes
from the_sink.verbs.platform.templates import load_template
from the_sink.verbs.poller import Pace
from the_sink.verbs.quotas import find_build_quota_warnings

TEMPLATE = "stacks/python/pipeline.yml"

_SELF_START_WAIT_S = 30.0
"""How long AWS may take to start a new pipeline by itself; no page says. Each second costs the person who
bootstraps one, once in an environment's life."""

_IDLE_TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class BootstrapPlan:
    """What a bootstrap will do, and what will be missing when it has."""

    names: Names
    platform: Platform
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]
    unbounded: tuple[str, ...]
    """The roles of an environment that is there already and is to get a permissions boundary."""


def plan(
    aws: Aws,
    settings: Settings,
    environment: Environment,
    connect: Callable[[Environment], Aws],
    *,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    version: str,
    repository: str,
    may_delete: bool,
) -> BootstrapPlan:
    """Look at the environment and return what its bootstrap will do.

    Args:
        aws: The environment's account.
        settings: The app's.
        environment: The one to bootstrap.
        connect: Opens another environment's account.
        parameters: What the app's stack will have in this environment
            (:func:`the_sink.checks.validation.load_parameters`).
        tags: Those of the app's stack (:func:`the_sink.checks.validation.load_tags`): one bill has both.
        version: Of the platform package.
        repository: The app's own repository, for the stack's tags; "" where there is none.
        may_delete: Whether a stack whose creation failed may be deleted to start over.

    Raises:
        NotFound: the platform does not exist there.
        InputError: an environment before this one is missing, the platform has no runtimes for this one's
            processor, or the processor changes and the moving tag does not; the platform does not trust the
            repository whose workflows are to deploy.
    """
    names = Names(settings.app, environment.name)
    runtime = parameters.get("RuntimeVersion", "")
    platform = describe_platform(aws, settings.platform)
    observed = BootstrapObserved(
        pipeline=aws.stacks.describe(names.pipeline_stack), secret=aws.secrets.describe(names.secret)
    )
    if observed.pipeline is None:
        check_order(
            settings.app,
            environment.name,
            _describe_previous(settings, environment, connect),
            flags=aws.target.flags,
        )
    runtimes = require_runtimes(aws, platform, environment.architecture)
    _check_repository(platform, settings.github.repository, aws.target.flags)
    if observed.pipeline is not None:
        _check_moving_tag(aws, names, observed.pipeline, environment, parameters["EcrTag"])
    template = load_template(TEMPLATE)
    steps = plan_bootstrap(
        names,
        observed,
        template=TEMPLATE,
        declared=template.parameters,
        parameters={
            **_parameters(settings, environment, parameters, runtime),
            "VpcOwnerId": platform.vpc_owner,
        },
        tags={**tags, **_tags(settings, environment.name, version, repository)},
        may_delete=may_delete,
    )
    return BootstrapPlan(
        names,
        platform,
        steps,
        (
            *_warnings(aws, platform, runtimes, environment.name, version, runtime),
            *find_build_quota_warnings(aws, environment.architecture),
        ),
        _unbounded(aws, names, observed.pipeline, parameters["PermissionsBoundaryArn"]),
    )


def apply(aws: Aws, planned: BootstrapPlan) -> Generator[Event, None, StackApplied]:
    """Carry a plan out; return what became of the stack.

    Raises:
        SinkError: CloudFormation failed, or the pipeline is waiting for someone's approval.
        TimedOut: a run that is under way does not end.
    """
    applied: StackApplied | None = None
    template = load_template(TEMPLATE)
    for step in planned.steps:
        match step:
            case RestoreSecret(name):
                aws.secrets.restore(name)
                yield Said(f"Restored secret {name}.")
            case StopSelfStarted(pipeline):
                yield from _stop_self_started(aws, pipeline)
            case _:
                pipeline_is_idle = partial(_wait_for_idle, aws, planned.names)
                done = yield from stacks.apply_step(
                    aws, step, template, planned.platform.bucket, pipeline_is_idle
                )
                applied = done or applied
    if applied is None:
        raise AssertionError("a plan for a stack holds the stack")
    return applied


def _check_repository(platform: Platform, repository: str, flags: str) -> None:
    """See that the platform lets the repository's workflows deploy; "" is no repository.

    Raises:
        InputError: the platform has no identity provider for GitHub, or is another organisation's.
    """
    if not repository:
        return
    owner = repository.partition("/")[0]
    if not platform.github_organization:
        raise InputError(
            f"The platform {platform.name} trusts no GitHub organisation, and sink.toml names {repository}.",
            f"In the platform's repository: invoke platform.bootstrap --parameter GitHubOrganization={owner}"
            f"{flags}",
        )
    # GitHub tells no two owners apart by case alone.
    if owner.lower() != platform.github_organization.lower():
        raise InputError(
            f"The platform {platform.name} lets repositories of {platform.github_organization} deploy, and "
            f"sink.toml names {repository}.",
            "Correct repository in the table [github] of sink.toml.",
        )


def _unbounded(aws: Aws, names: Names, pipeline: Stack | None, wanted: str) -> tuple[str, ...]:
    is_new = pipeline is None or pipeline.status.is_never_created or pipeline.status.must_be_deleted
    if pipeline is None or is_new or not wanted or pipeline.parameters.get("PermissionsBoundaryArn"):
        return ()
    return find_unbounded(aws, names)


def _check_moving_tag(
    aws: Aws, names: Names, pipeline: Stack, environment: Environment, ecr_tag: str
) -> None:
    """See that another processor comes with another moving tag.

    The app's stack starts the image of the moving tag, on the new processor before this release and on the
    old one where it is rolled back: one tag cannot name an image for each.

    Raises:
        InputError: it does not, and the tag names an image.
    """
    before = pipeline.parameters.get("Architecture", "X86_64")
    if before == environment.architecture or pipeline.parameters.get("EcrTag") != ecr_tag:
        return
    if aws.registry.image(names.repository, tag=ecr_tag) is None:
        return
    raise InputError(
        f"{names.app} {names.env} serves on {before}, and its moving tag {ecr_tag} names an image for that; "
        f"with {environment.architecture} it needs another tag.",
        f'Write a new one into aws/cfn-template-configuration-{names.env}.json, such as "EcrTag": '
        f'"{names.env}-{environment.architecture.lower().replace("_", "-")}".',
    )


def _describe_previous(
    settings: Settings, environment: Environment, connect: Callable[[Environment], Aws]
) -> dict[str, bool]:
    earlier: dict[str, bool] = {}
    for other in settings.environments:
        if other.name == environment.name:
            break
        stack = connect(other).stacks.describe(Names(settings.app, other.name).pipeline_stack)
        earlier[other.name] = stack is not None and not stack.status.is_never_created
    return earlier


def _parameters(
    settings: Settings, environment: Environment, shared: Mapping[str, str], runtime_version: str
) -> dict[str, str]:
    return {
        "PlatformName": settings.platform,
        "AppName": settings.app,
        "AppEnv": environment.name,
        "ArchiveTag": environment.tag,
        "EcrTag": shared["EcrTag"],
        **({"RuntimeVersion": runtime_version} if runtime_version else {}),
        "Architecture": environment.architecture,
        "RequireApproval": "true" if environment.requires_approval else "false",
        "PermissionsBoundaryArn": shared["PermissionsBoundaryArn"],
        "AdditionalPolicyArns": ",".join(environment.additional_policies),
        "NotificationTopicArn": environment.notification_topic,
        "GitHubRepository": settings.github.subject,
        "SecretsDelivery": settings.secrets_delivery,
        "PromotedFrom": _promoted_from(settings, environment),
    }


def _promoted_from(settings: Settings, environment: Environment) -> str:
    """Return the environment whose images a build may take over: the one before, if builds can reach it.

    Registries are a region's, and no role of one account reaches into another: there, as for another
    architecture, an image is built from the same archive.
    """
    if environment.tag == DEFAULT_TAGS["stage"]:
        return ""
    before = settings.before(environment.name)
    # Without account numbers it is the credentials' profile that tells accounts apart.
    accounts = (
        (before.account, environment.account)
        if before.account or environment.account
        else (before.profile, environment.profile)
    )
    is_reached = before.region == environment.region and accounts[0] == accounts[1]
    return before.name if is_reached and before.architecture == environment.architecture else ""


def _tags(settings: Settings, env: str, version: str, repository: str) -> dict[str, str]:
    tags = {
        "the-sink:platform": settings.platform,
        "the-sink:app": settings.app,
        "the-sink:env": env,
        "the-sink:template-version": version,
        # What a tag's value may hold:
        # https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
        "the-sink:repository": re.sub(r"[^\w .:/=+@-]", "_", repository)[:256],
    }
    return {key: value for key, value in tags.items() if value}


def _warnings(
    aws: Aws, platform: Platform, runtimes: RuntimeRegistry, env: str, version: str, runtime: str
) -> tuple[str, ...]:
    """What the first deploy will miss: cheaper to hear now than to read in a build's log."""
    warnings = []
    major = int(version.split(".", 1)[0])
    missing = [
        what
        for what, publication in {"template": STACK_TEMPLATE, "sink-build": SINK_BUILD}.items()
        if aws.objects.describe(platform.bucket, publication.channel_key(major, env)) is None
    ]
    if missing:
        warnings.append(
            f"The platform has no {' and no '.join(missing)} for {env} yet, and deploys need it: "
            f"invoke platform.publish{aws.target.flags}, in the platform's repository."
        )
    if runtime and aws.registry.image(runtimes.repository, tag=runtime) is None:
        warnings.append(
            f"The platform has no runtime image {runtime} for {runtimes.architecture} yet, and builds need "
            f"one: invoke runtimes.publish --runtime {runtime} --architecture {runtimes.architecture}"
            f"{aws.target.flags}, in the platform's repository."
        )
    return tuple(warnings)


def _wait_for_idle(aws: Aws, names: Names) -> Generator[Event, None, None]:
    """Wait until the pipeline runs nothing: changing it would end what runs.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-edit.html
    """
    pipeline, env = names.pipeline, names.env
    pace = Pace(
        aws.clock,
        _IDLE_TIMEOUT_S,
        f"The run of pipeline {pipeline}",
        "Wait, or stop it (`aws codepipeline stop-pipeline-execution`); then run the same command again.",
    )
    said = False
    while any(not run.is_over for run in aws.pipelines.executions(pipeline)):
        state = aws.pipelines.describe(pipeline)
        if state is not None and state.waiting:
            raise SinkError(
                f"Pipeline {pipeline} is waiting for an approval, and changing it would end that run.",
                f"Answer it (invoke approve or reject --env {env}{aws.target.flags}), then run the same "
                "command again.",
            )
        if not said:
            yield Said(f"Pipeline {pipeline} is running a release; waiting for that to end.")
            said = True
        pace.wait()


def _stop_self_started(aws: Aws, pipeline: str) -> Generator[Event, None, None]:
    deadline = aws.clock.now() + _SELF_START_WAIT_S
    while True:
        runs = [run for run in aws.pipelines.executions(pipeline) if run.is_self_started]
        for run in runs:
            if not run.is_over and aws.pipelines.stop(
                pipeline, run.execution_id, "Started by the pipeline's creation; no release."
            ):
                yield Said("Stopped the run that AWS started because the pipeline is new; it was no release.")
        if runs or aws.clock.now() >= deadline:
            return
        aws.clock.sleep(1.0)
