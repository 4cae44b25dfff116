"""Quotas of a new account that stop its first deploy, told by ``bootstrap`` while they can be raised."""

from __future__ import annotations

from the_sink.aws.servicequotas import CODEBUILD, CONCURRENT_BUILDS
from the_sink.aws.session import Aws
from the_sink.errors import SinkError


def find_build_quota_warnings(aws: Aws, architecture: str) -> tuple[str, ...]:
    """Return what CodeBuild's quota of concurrent builds will do to deploys, nothing where it is enough.

    It may be 0 or 1 in a new account (awslabs/landing-zone-accelerator-on-aws#1013). A quota that cannot be
    read stops no bootstrap.

    Args:
        aws: The environment's account.
        architecture: Of the environment: each processor has a quota of its own.
    """
    try:
        builds = aws.quotas.concurrent_builds(architecture)
    except SinkError as error:
        return (f"How many builds CodeBuild runs at once here is not known: {error.message}",)
    if builds is None or builds > 1:
        return ()
    code = CONCURRENT_BUILDS[architecture]
    ask = (
        f"aws service-quotas request-service-quota-increase --service-code {CODEBUILD} --quota-code {code} "
        f"--desired-value 10 --region {aws.target.region}"
    )
    if builds == 0:
        return (
            f"CodeBuild runs no builds for this account yet, so every deploy will fail. Ask for some: {ask}",
        )
    return (f"CodeBuild runs one build at a time for this account, so deploys queue. Ask for more: {ask}",)
