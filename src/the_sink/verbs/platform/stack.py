"""The platform engineer's verbs: what all apps share, and the templates that apps deploy from."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from the_sink.aws.service_roles import ECS
from the_sink.aws.session import Aws
from the_sink.errors import InputError
from the_sink.local.sink_build import pack_sink_build
from the_sink.models import Event, Said, Stack, StackApplied
from the_sink.naming import (
    ENVIRONMENTS,
    PUBLICATIONS,
    SINK_BUILD,
    STACK_TEMPLATE,
    Publication,
    legacy_channel_key,
    platform_stack,
    runtime_repository,
)
from the_sink.plan import (
    ApplyStack,
    MakeServiceRole,
    MoveChannel,
    PublishObserved,
    PutOnce,
    Step,
    check_network,
    check_platform,
    plan_publish,
    plan_stack,
)
from the_sink.resources import resource_path
from the_sink.verbs import stacks
from the_sink.verbs.platform.templates import load_template
from the_sink.verbs.platform.versions import VERSION_METADATA, move_channel

PLATFORM_TEMPLATE = "stacks/platform/cfn-template.yml"


_RUNTIME_OUTPUTS = {"X86_64": "RuntimeRepository", "ARM64": "RuntimeArmRepository"}
"""What the outputs of the platform's stack that name a repository begin with."""


@dataclass(frozen=True)
class RuntimeRegistry:
    """Where the runtime images for one processor are."""

    architecture: str
    """As in :data:`the_sink.naming.ARCHITECTURES`."""
    repository: str
    uri: str
    """The address that images are named by, without a tag."""


@dataclass(frozen=True)
class Platform:
    """What apps need to know of the platform's stack."""

    name: str
    bucket: str
    runtimes: tuple[RuntimeRegistry, ...]
    """One for each processor; the stack of a platform before 1.1 has none for ARM64."""
    vpc_owner: str = ""
    """The account that the network belongs to; "" where the platform's stack does not say."""
    github_organization: str = ""
    """Whose repositories' workflows may deploy; "" where the account's provider for GitHub is not known."""


def describe_platform(aws: Aws, name: str) -> Platform:
    """Return the platform of an account.

    Raises:
        NotFound: there is none, or it is half-made.
    """
    stack = check_platform(
        name,
        aws.stacks.describe(platform_stack(name)),
        aws.account,
        aws.target.region,
        aws.target.flags,
    )
    return platform_of(name, stack)


def platform_of(name: str, stack: Stack) -> Platform:
    """Read what apps need from the platform's stack."""
    return Platform(
        name=name,
        bucket=stack.outputs.get("PipelineS3Bucket", ""),
        runtimes=tuple(
            RuntimeRegistry(
                architecture,
                stack.outputs.get(f"{output}Name", runtime_repository(name, architecture)),
                stack.outputs.get(f"{output}Uri", ""),
            )
            for architecture, output in _RUNTIME_OUTPUTS.items()
            if architecture == "X86_64" or f"{output}Name" in stack.outputs
        ),
        vpc_owner=stack.outputs.get("VpcOwnerId", ""),
        github_organization=(
            stack.parameters.get("GitHubOrganization", "") if "GitHubOidcProviderArn" in stack.outputs else ""
        ),
    )


def require_runtimes(aws: Aws, platform: Platform, architecture: str) -> RuntimeRegistry:
    """Return where the runtime images for a processor are.

    Raises:
        InputError: the platform's stack is older than they are.
    """
    found = next((each for each in platform.runtimes if each.architecture == architecture), None)
    if found is None:
        raise InputError(
            f"The platform {platform.name} has no repository for {architecture} runtimes yet.",
            "Bring its stack up to date, in the platform's repository: invoke platform.bootstrap"
            f"{aws.target.flags}",
        )
    return found


def plan_bootstrap(
    aws: Aws,
    name: str,
    version: str,
    parameters: Mapping[str, str],
    *,
    may_delete: bool,
    tags: Mapping[str, str] | None = None,
    checkout: Path | None = None,
) -> tuple[Step, ...]:
    """Return the steps that create the platform's stack or bring it up to date.

    Before it comes the role that ECS acts under, where the account has none: made with the first cluster, it
    may be too new for it (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/818).

    Args:
        aws: The account.
        name: The platform's name.
        version: Of the templates.
        parameters: Parameters to set besides the name; what is not named keeps its value.
        may_delete: Whether a stack whose creation failed may be deleted to start over.
        tags: Of the stack, besides the platform's own.
        checkout: The platform's checkout whose stacks are meant; None for the shipped ones.

    Raises:
        InputError: the template has no such parameter, or a network is named by halves.
    """
    template = load_template(PLATFORM_TEMPLATE, checkout)
    for key in parameters:
        if key not in template.parameters:
            raise InputError(
                f"{PLATFORM_TEMPLATE} has no parameter {key!r}.",
                f"It has: {', '.join(sorted(template.parameters))}.",
            )
    stack = platform_stack(name)
    found = aws.stacks.describe(stack)
    check_network({**(found.parameters if found else {}), **parameters})
    steps = plan_stack(
        stack,
        found,
        template=PLATFORM_TEMPLATE,
        declared=template.parameters,
        parameters={"PlatformName": name, **parameters},
        tags={**(tags or {}), "the-sink:platform": name, "the-sink:template-version": version},
        may_delete=may_delete,
    )
    return steps if aws.service_roles.exists(ECS) else (MakeServiceRole(ECS), *steps)


def apply_bootstrap(
    aws: Aws, name: str, steps: tuple[Step, ...], checkout: Path | None = None
) -> Generator[Event, None, StackApplied]:
    """Carry the steps out; return what became of the stack."""
    applied: StackApplied | None = None
    template = load_template(PLATFORM_TEMPLATE, checkout)
    for step in steps:
        if isinstance(step, MakeServiceRole):
            aws.service_roles.create(step.service)
            yield Said(f"Made the role of {step.service}.")
            continue
        bucket = ""
        if isinstance(step, ApplyStack) and not step.is_new and (found := aws.stacks.describe(step.stack)):
            bucket = platform_of(name, found).bucket
        applied = (yield from stacks.apply_step(aws, step, template, bucket)) or applied
    if applied is None:
        raise AssertionError("a plan for a stack ends with the stack")
    return applied


def describe_publish(
    aws: Aws, bucket: str, version: str, publication: Publication, checkout: Path | None = None
) -> PublishObserved:
    """Compare what is published with what this version has.

    A channel is equal only if it also says that it holds this version: two versions may have the same bytes.
    """
    content = _content(publication, version, checkout)

    def is_equal(key: str, *, is_channel: bool = True) -> bool | None:
        stored = aws.objects.describe(bucket, key)
        if stored is None or (is_channel and stored.metadata.get(VERSION_METADATA) != version):
            return None if stored is None else False
        return aws.objects.holds(bucket, stored, content)

    return PublishObserved(
        publication,
        version_is_equal=is_equal(publication.version_key(version), is_channel=False),
        channels={key: is_equal(key) for key in channel_keys(publication, version)},
    )


def plan_version(
    aws: Aws, bucket: str, version: str, checkout: Path | None = None
) -> tuple[PutOnce | MoveChannel, ...]:
    """Return the steps that publish this version and move the stage channels.

    Raises:
        InputError: this version was published with other bytes.
    """
    observed = [describe_publish(aws, bucket, version, each, checkout) for each in PUBLICATIONS]
    return plan_publish(bucket, version, observed)


def apply_publish(
    aws: Aws, steps: tuple[PutOnce | MoveChannel, ...], version: str, checkout: Path | None = None
) -> Generator[Event, None, None]:
    """Carry the steps of a publish of ``version`` out.

    Raises:
        InputError: someone else published the same version with other bytes meanwhile.
    """
    contents = {each.version_key(version): _content(each, version, checkout) for each in PUBLICATIONS}
    for step in steps:
        match step:
            case PutOnce(bucket, key):
                content = contents[key]
                if not aws.objects.put_once(bucket, key, content, {}):
                    stored = aws.objects.describe(bucket, key)
                    if stored is None or not aws.objects.holds(bucket, stored, content):
                        raise InputError(
                            f"s3://{bucket}/{key} was published by someone else at this moment.",
                            "Run the same command again.",
                        )
                yield Said(f"Published s3://{bucket}/{key}")
            case MoveChannel(bucket, key, publication, is_new=True):
                content = contents[publication.version_key(version)]
                # Never over a channel that someone promoted meanwhile.
                aws.objects.put_once(bucket, key, content, {VERSION_METADATA: version})
                yield Said(f"Created channel s3://{bucket}/{key}")
            case MoveChannel(bucket, key, publication):
                move_channel(aws, bucket, key, publication, version)
                yield Said(f"Moved channel s3://{bucket}/{key}")


def channel_keys(publication: Publication, version: str) -> tuple[str, ...]:
    """Return the channels that a version belongs to, the one that a publish moves first."""
    major = int(version.split(".", 1)[0])
    earlier = (legacy_channel_key(),) if major == 1 and publication is STACK_TEMPLATE else ()
    return (*(publication.channel_key(major, env) for env in ENVIRONMENTS), *earlier)


def _content(publication: Publication, version: str, checkout: Path | None) -> bytes:
    source = resource_path(publication.source, checkout)
    return pack_sink_build(source, version) if publication is SINK_BUILD else source.read_bytes()
