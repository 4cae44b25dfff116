"""Quotas of a new account that stop its first deploy, told by ``bootstrap`` while they can be raised."""

from __future__ import annotations

from the_sink.aws.servicequotas import CODEBUILD, CONCURRENT_BUILDS
from the_sink.aws.session import Aws
from the_sink.errors import SinkError

_COMMANDS = "X86_64"
"""What a pipeline's own commands run on, whatever its images are built for: Linux/Small is their default
(https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html)."""


def find_build_quota_warnings(aws: Aws, architecture: str) -> tuple[str, ...]:
    """Return what CodeBuild's quotas of concurrent builds will do to deploys, nothing where they are enough.

    They may be 0 or 1 in a new account (awslabs/landing-zone-accelerator-on-aws#1013). A quota that cannot be
    read stops no bootstrap.

    Args:
        aws: The environment's account.
        architecture: Of the environment: each processor has a quota of its own, and a pipeline's own commands
            count as builds too.
    """
    warnings: list[str] = []
    for processor in dict.fromkeys((architecture, _COMMANDS)):
        try:
            builds = aws.quotas.concurrent_builds(processor)
        except SinkError as error:
            return (f"How many builds CodeBuild runs at once here is not known: {error.message}",)
        if builds is not None and builds <= 1:
            warnings.append(_describe(builds, processor, aws.target.region))
    return tuple(warnings)


def _describe(builds: int, processor: str, region: str) -> str:
    ask = (
        f"aws service-quotas request-service-quota-increase --service-code {CODEBUILD} "
        f"--quota-code {CONCURRENT_BUILDS[processor]} --desired-value 10 --region {region}"
    )
    where = f"CodeBuild runs {'no builds' if builds == 0 else 'one build'} on {processor}"
    if builds == 0:
        return f"{where} for this account yet, so every deploy will fail. Ask for some: {ask}"
    return f"{where} at a time for this account, so deploys queue. Ask for more: {ask}"
