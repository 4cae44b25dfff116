"""Every way in which AWS cannot be reached is one sentence with a next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from sink_sandbox.client.lifecycle import Sandbox
from the_sink.aws.session import Aws, Target, connect
from the_sink.errors import AccessError, EndpointUnavailable, InputError, SinkError
from the_sink.models import Clock

from .conftest import CLOCK, REGION

SIGN_IN = "Sign in (`aws sso login` or `aws configure`), or add --sandbox to work without AWS."


def test_the_sandbox_has_one_account_for_every_app(connection: Aws) -> None:
    assert connection.account == "000000000000"


@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("eu-west-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
    ],
)
def test_addresses_end_as_those_of_the_regions_partition(region: str, suffix: str, connection: Aws) -> None:
    """CloudFormation reads a large template at such an address."""
    assert replace(connection, target=Target(region)).url_suffix == suffix


def test_a_profile_that_does_not_exist_does_not_stop_the_sandbox(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert connect(target, CLOCK).account == "000000000000"


def test_another_account_is_refused_and_both_are_named(sandbox: Sandbox) -> None:
    with pytest.raises(AccessError) as caught:
        connect(
            Target(
                REGION,
                account="123456789012",
                sandbox_url=sandbox.endpoint_url,
                sandbox_secret=sandbox.secret,
            ),
            CLOCK,
        )

    assert caught.value.message == (
        "These credentials belong to account 000000000000, but sink.toml names account 123456789012."
    )
    assert caught.value.exit_code == 2


def test_no_credentials(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(AccessError) as caught:
        connect(Target(REGION), CLOCK)

    assert caught.value.message == "There are no AWS credentials on this machine."
    assert caught.value.hint == SIGN_IN


def test_an_unknown_profile_is_quoted() -> None:
    with pytest.raises(AccessError) as caught:
        connect(Target(REGION, profile="compny"), CLOCK)

    assert caught.value.message == "This machine has no AWS profile 'compny'."


def test_an_sso_sign_in_that_was_never_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile work]\nsso_session = company\nsso_account_id = 123456789012\nsso_role_name = dev\n"
        "[sso-session company]\nsso_start_url = https://company.awsapps.com/start\nsso_region = eu-west-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(AccessError) as caught:
        connect(Target(REGION, profile="work"), CLOCK)

    assert caught.value.message == "The AWS sign-in has expired or cannot be used."
    assert caught.value.hint.startswith("Sign in (`aws sso login --profile work`")


def test_a_sandbox_that_is_gone_midway(free_port: Callable[[], int]) -> None:
    address = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(EndpointUnavailable) as caught:
        connect(Target.sandbox(REGION, address, "secret"), CLOCK)

    assert caught.value.message == f"The sandbox at {address} does not answer."
    assert "invoke sandbox.start" in caught.value.hint


def test_an_aws_that_cannot_be_reached(free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # botocore's own pauses between attempts

    with pytest.raises(InputError) as caught:
        connect(Target(REGION), CLOCK)

    assert caught.value.message == "STS in eu-west-1 cannot be reached from this machine."


@pytest.mark.parametrize(
    ("code", "said", "kind", "message"),
    [
        ("ExpiredToken", "The security token is expired.", AccessError, "The AWS credentials have expired."),
        ("InvalidClientTokenId", "Bad.", AccessError, "AWS does not know these credentials."),
        (
            "AccessDenied",
            "User x is not authorized to perform: cloudformation:DescribeStacks.",
            AccessError,
            "AWS denied CloudFormation DescribeStacks: User x is not authorized to perform: "
            "cloudformation:DescribeStacks.",
        ),
        (
            "Throttling",
            "Rate exceeded",
            SinkError,
            "CloudFormation answers no more DescribeStacks requests for now: Rate exceeded.",
        ),
        ("InternalFailure", "Oops.", SinkError, "CloudFormation refused DescribeStacks: Oops."),
    ],
)
def test_what_aws_refuses(connection: Aws, code: str, said: str, kind: type[SinkError], message: str) -> None:
    client: Any = connection.stacks._client
    client.meta.config.retries["total_max_attempts"] = 1
    with Stubber(client) as stub:
        stub.add_client_error("describe_stacks", code, said)
        with pytest.raises(SinkError) as caught:
            connection.stacks.describe("any")

    assert type(caught.value) is kind
    assert caught.value.message == message


def test_a_clock_is_an_argument(target: Target) -> None:
    slept: list[float] = []
    clock = Clock(now=lambda: sum(slept), sleep=slept.append, utc=CLOCK.utc)

    assert connect(target, clock).clock is clock
