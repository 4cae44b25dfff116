"""The way to AWS: what every task that talks to it opens first.

``connect`` turns a ``Target`` into an ``Aws``, which hands out one thin object per service. Those return
our own frozen types, and only this package sees boto3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from the_sink.aws.cloudformation import Stacks
from the_sink.aws.codebuild import Builds
from the_sink.aws.codepipeline import Pipelines
from the_sink.aws.ecr import Registry
from the_sink.aws.ecs import Services
from the_sink.aws.elbv2 import TargetGroups
from the_sink.aws.iam import Roles
from the_sink.aws.ledger import Ledger
from the_sink.aws.logs import Logs
from the_sink.aws.rds import Databases
from the_sink.aws.s3 import Objects
from the_sink.aws.secretsmanager import Secrets
from the_sink.aws.service_roles import ServiceRoles
from the_sink.aws.servicequotas import Quotas
from the_sink.aws.sts import Identity
from the_sink.aws.target import SANDBOX_ACCOUNT, Target
from the_sink.aws.translation import translate_errors
from the_sink.errors import AccessError
from the_sink.models import Clock

__all__ = ["SANDBOX_ACCOUNT", "Aws", "Target", "connect"]


@dataclass(frozen=True)
class Aws:
    """A connection to one account and region; a service's client is made when it is first asked for."""

    target: Target
    clock: Clock
    account: str
    _session: boto3.Session = field(repr=False)

    @cached_property
    def url_suffix(self) -> str:
        """What the addresses of the region's partition end with, as ``AWS::URLSuffix`` in a template.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
        """
        partition = self._session.get_partition_for_region(self.target.region)
        known: Any = botocore.session.Session().get_data("partitions")
        return next(str(p["outputs"]["dnsSuffix"]) for p in known["partitions"] if p["id"] == partition)

    @cached_property
    def stacks(self) -> Stacks:
        """CloudFormation."""
        return Stacks(self._client("cloudformation"), self.target, self.clock)

    @cached_property
    def pipelines(self) -> Pipelines:
        """CodePipeline."""
        return Pipelines(self._client("codepipeline"), self.target)

    @cached_property
    def builds(self) -> Builds:
        """CodeBuild."""
        return Builds(self._client("codebuild"), self.target)

    @cached_property
    def registry(self) -> Registry:
        """ECR."""
        return Registry(self._client("ecr"), self.target)

    @cached_property
    def services(self) -> Services:
        """ECS."""
        return Services(self._client("ecs"), self.target)

    @cached_property
    def target_groups(self) -> TargetGroups:
        """Elastic Load Balancing."""
        return TargetGroups(self._client("elbv2"), self.target)

    @cached_property
    def roles(self) -> Roles:
        """IAM."""
        return Roles(self._client("iam"), self.target)

    @cached_property
    def objects(self) -> Objects:
        """S3."""
        return Objects(self._client("s3"), self.target)

    @cached_property
    def ledger(self) -> Ledger:
        """The release ledger, in S3."""
        return Ledger(self._client("s3"), self.target)

    @cached_property
    def identity(self) -> Identity:
        """STS."""
        return Identity(self._client("sts"), self.target)

    @cached_property
    def logs(self) -> Logs:
        """CloudWatch Logs."""
        return Logs(self._client("logs"), self.target)

    @cached_property
    def databases(self) -> Databases:
        """RDS."""
        return Databases(self._client("rds"), self.target)

    @cached_property
    def secrets(self) -> Secrets:
        """Secrets Manager."""
        return Secrets(self._client("secretsmanager"), self.target)

    @cached_property
    def service_roles(self) -> ServiceRoles:
        """IAM's service-linked roles."""
        return ServiceRoles(self._client("iam"), self.target)

    @cached_property
    def quotas(self) -> Quotas:
        """Service Quotas."""
        return Quotas(self._client("service-quotas"), self.target)

    def _client(self, service: str) -> Any:
        return _client(self._session, self.target, service)


def connect(target: Target, clock: Clock) -> Aws:
    """Open a connection and make sure that it leads to the account that is meant.

    Raises:
        AccessError: no usable credentials, or credentials of another account; the message names both.
        EndpointUnavailable: nobody answers at the sandbox's address.
    """
    session = _session(target)
    account = Identity(_client(session, target, "sts"), target).account()
    if target.account and account != target.account:
        raise AccessError(
            f"These credentials belong to account {account}, but sink.toml names account {target.account}.",
            "Choose that account's profile (AWS_PROFILE, or `profile` in sink.toml), or correct `account`.",
        )
    return Aws(target=target, clock=clock, account=account, _session=session)


def _session(target: Target) -> boto3.Session:
    with translate_errors("AWS", target):
        if not target.is_sandbox:
            return boto3.Session(profile_name=target.profile, region_name=target.region)
        # Reads no environment variable and no file: an AWS_PROFILE that names nothing must not stop work
        # that never leaves this laptop.
        nothing = dict.fromkeys(("profile", "config_file", "credentials_file"), (None, None, None, None))
        return boto3.Session(
            aws_access_key_id=SANDBOX_ACCOUNT,
            aws_secret_access_key=target.sandbox_secret,
            region_name=target.region,
            botocore_session=botocore.session.Session(session_vars=nothing),
        )


def _client(session: boto3.Session, target: Target, service: str) -> Any:
    # `standard` backs off when throttled and retries lost connections. The sandbox answers or is gone.
    attempts = 2 if target.is_sandbox else 8
    options: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": attempts},
        "connect_timeout": 10,
        "read_timeout": 60,
    }
    if target.is_sandbox:
        # No proxy stands between this process and loopback, and bucket names are no host names there.
        options |= {"proxies": {}, "s3": {"addressing_style": "path"}}
    # boto3's own signature wants a literal service name; the name is one of those above.
    make: Any = session.client
    with translate_errors("AWS", target):
        return make(
            service, region_name=target.region, endpoint_url=target.sandbox_url, config=Config(**options)
        )
