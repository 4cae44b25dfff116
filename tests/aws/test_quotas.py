"""What a new account's quotas do to a first deploy is told by ``bootstrap``; none of them stops it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from the_sink.aws.session import Aws, Target
from the_sink.verbs.quotas import find_build_quota_warnings

from .conftest import CLOCK, REGION

LINUX, ARM = "L-9D07B6EF", "L-5ED1D25B"


@pytest.fixture
def aws_of_nobody() -> Aws:
    """AWS itself, as far as it can be had without asking: each answer is the test's."""
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=REGION)
    return Aws(target=Target(REGION), clock=CLOCK, account="123456789012", _session=session)


def asked(code: str) -> dict[str, str]:
    return {"ServiceCode": "codebuild", "QuotaCode": code}


NO_BUILDS = "CodeBuild runs no builds on {} for this account yet, so every deploy will fail."
ONE_BUILD = "CodeBuild runs one build on {} at a time for this account, so deploys queue."


@pytest.mark.parametrize(
    ("architecture", "builds", "beginnings"),
    [
        ("X86_64", {LINUX: 0}, {LINUX: NO_BUILDS.format("X86_64")}),
        ("X86_64", {LINUX: 1}, {LINUX: ONE_BUILD.format("X86_64")}),
        ("X86_64", {LINUX: 2}, {}),
        ("ARM64", {ARM: 0, LINUX: 2}, {ARM: NO_BUILDS.format("ARM64")}),
        # The pipeline's own commands need one too.
        ("ARM64", {ARM: 300, LINUX: 0}, {LINUX: NO_BUILDS.format("X86_64")}),
        ("ARM64", {ARM: 300, LINUX: 2}, {}),
    ],
)
def test_too_few_builds_are_warned_of_with_the_command_that_asks_for_more(
    architecture: str, builds: dict[str, int], beginnings: dict[str, str], aws_of_nobody: Aws
) -> None:
    client: Any = aws_of_nobody.quotas._client
    with Stubber(client) as stub:
        for code, number in builds.items():
            stub.add_response("get_service_quota", {"Quota": {"Value": float(number)}}, asked(code))
        found = find_build_quota_warnings(aws_of_nobody, architecture)
        stub.assert_no_pending_responses()

    assert len(found) == len(beginnings)
    for warning, (code, beginning) in zip(found, beginnings.items(), strict=True):
        assert warning.startswith(beginning)
        assert warning.endswith(
            "aws service-quotas request-service-quota-increase --service-code codebuild "
            f"--quota-code {code} --desired-value 10 --region {REGION}"
        )


@pytest.mark.parametrize(
    ("code", "warnings"),
    [
        ("NoSuchResourceException", ()),
        (
            "AccessDeniedException",
            (
                "How many builds CodeBuild runs at once here is not known: AWS denied Service Quotas "
                "GetServiceQuota: no.",
            ),
        ),
    ],
)
def test_a_quota_that_cannot_be_read_stops_nothing(
    code: str, warnings: tuple[str, ...], aws_of_nobody: Aws
) -> None:
    client: Any = aws_of_nobody.quotas._client
    with Stubber(client) as stub:
        stub.add_client_error("get_service_quota", code, "no")

        assert find_build_quota_warnings(aws_of_nobody, "X86_64") == warnings


def test_the_sandbox_has_no_quotas_and_is_not_asked(connection: Aws) -> None:
    with Stubber(connection.quotas._client):  # a request would be an answer too few
        assert find_build_quota_warnings(connection, "X86_64") == ()
