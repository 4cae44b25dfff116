"""Access logs: who writes them, that they may, and that nobody else's account can.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .policies import ACCOUNT, allows, request

OTHER_ACCOUNT = "999999999999"
BUCKET = "<AccessLogsBucket.Arn>"


def may_write(platform: Any, service: str, key: str, account: str = "") -> bool:
    """Whether a service of AWS may put an object into the bucket of access logs, and for which account."""
    statements = [
        {name: value for name, value in statement.items() if name != "Principal"}
        for statement in platform.properties("AccessLogsBucketPolicy")["PolicyDocument"]["Statement"]
        if statement["Principal"] in ("*", {"Service": service})
    ]
    context = {"aws:SourceAccount": account} if account else {}
    return allows(statements, request("s3:PutObject", f"{BUCKET}/{key}", context))


def attributes(app: Any) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in app.properties("LoadBalancer")["LoadBalancerAttributes"]}


@pytest.mark.parametrize("scheme", ["internal", "internet-facing"])
def test_every_load_balancer_logs_where_the_bucket_lets_it(scheme: str, stack: Callable[..., Any]) -> None:
    platform, app = stack("platform"), stack("python", EcsAlbScheme=scheme, AppName="a" * 24)
    found = attributes(app)
    service = "logdelivery.elasticloadbalancing.amazonaws.com"

    def log(account: str) -> str:
        return (
            f"{found['access_logs.s3.prefix']}/AWSLogs/{account}/elasticloadbalancing/eu-west-1/2026/11/27/"
            f"{account}_elasticloadbalancing_eu-west-1_app.x.log.gz"
        )

    assert found["access_logs.s3.enabled"] == "true"
    assert found["access_logs.s3.bucket"] == "<import the-sink-AccessLogsS3Bucket>"
    assert platform.outputs["AccessLogsS3Bucket"]["Value"] == "<AccessLogsBucket>"
    assert may_write(platform, service, log(ACCOUNT))
    assert not may_write(platform, service, log(OTHER_ACCOUNT))
    assert not may_write(platform, service, log(ACCOUNT).removeprefix("alb/"))


def test_the_logs_are_encrypted_as_their_delivery_can(stack: Callable[..., Any]) -> None:
    """With S3's own key; a log that would need another is dropped, and nobody is told."""
    (rule,) = stack("platform").properties("AccessLogsBucket")["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]

    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_two_apps_logs_do_not_mix(stack: Callable[..., Any]) -> None:
    prefixes = {
        attributes(stack("python", AppName=app, AppEnv=env))["access_logs.s3.prefix"]
        for app in ("demo-app", "other-app")
        for env in ("stage", "prod")
    }

    assert len(prefixes) == 4


def test_every_bucket_but_that_of_the_logs_is_logged_where_s3_may_write(stack: Callable[..., Any]) -> None:
    platform = stack("platform")
    logged = [
        resource["Properties"]["LoggingConfiguration"]
        for resolved in (platform, stack("pipeline"), stack("pipeline", AppEnv="prod"))
        for logical_id, resource in resolved.resources.items()
        if resource["Type"] == "AWS::S3::Bucket" and logical_id != "AccessLogsBucket"
    ]
    service = "logging.s3.amazonaws.com"
    own, exported = "<AccessLogsBucket>", "<import the-sink-AccessLogsS3Bucket>"

    assert len({each["LogFilePrefix"] for each in logged}) == len(logged) >= 4
    for target in logged:
        assert target["DestinationBucketName"] in (own, exported)
        key = f"{target['LogFilePrefix']}2026-11-27-00-00-00-0123456789ABCDEF"
        assert may_write(platform, service, key, ACCOUNT)
        assert not may_write(platform, service, key, OTHER_ACCOUNT)
        assert not may_write(platform, service, key)
