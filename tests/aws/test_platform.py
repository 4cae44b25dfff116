"""The platform's stack and its published templates, on a real sandbox."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from sink_sandbox.client.lifecycle import Sandbox
from the_sink.aws.session import Aws
from the_sink.errors import InputError, NotFound, SinkError
from the_sink.models import Event, ResourceChanged, Said, StackApplied
from the_sink.plan import ApplyStack, plan_stack
from the_sink.resources import platform_version, resource_path
from the_sink.tasks import platform_namespace
from the_sink.verbs import stacks
from the_sink.verbs.platform import stack as platform
from the_sink.verbs.platform.templates import Template

R = TypeVar("R")

TOPIC = """
Parameters:
  Name: { Type: String }
  Extra: { Type: String, Default: "0" }
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: { TopicName: !Ref Name, DisplayName: !Ref Extra }
Outputs:
  Topic: { Value: !Ref Topic }
"""

# Fails after the topic is there: the hosted zone does not exist.
BROKEN = """
Parameters:
  Name: { Type: String }
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: { TopicName: !Ref Name }
  Record:
    Type: AWS::Route53::RecordSet
    DependsOn: Topic
    Properties:
      HostedZoneId: Z0000NOSUCHZONE
      Name: a.example.com
      Type: A
      TTL: "60"
      ResourceRecords: [10.0.0.1]
"""


def run(events: Generator[Event, None, R]) -> tuple[list[Event], R]:
    """Run a verb to its end; return what it told and its result."""
    told: list[Event] = []
    while True:
        try:
            told.append(next(events))
        except StopIteration as end:
            return told, end.value


def template(text: str) -> Template:
    names = frozenset({"Name", "Extra"}) if "Extra" in text else frozenset({"Name"})
    return Template("stacks/test.yml", text, names)


def apply(
    aws: Aws, text: str, *, may_delete: bool = False, **parameters: str
) -> tuple[list[Event], StackApplied]:
    """Plan and apply a stack called ``test``, as the verbs do."""
    steps = plan_stack(
        "test",
        aws.stacks.describe("test"),
        template="stacks/test.yml",
        declared=template(text).parameters,
        parameters=parameters,
        tags={"the-sink:platform": "x"},
        may_delete=may_delete,
    )
    told: list[Event] = []
    for step in steps:
        if isinstance(step, ApplyStack):
            change = stacks.plan_change(aws, step, template(text))
            events, applied = run(stacks.apply_change(aws, step, change))
            return told + events, applied
        stack = aws.stacks.describe("test")
        assert stack is not None
        told += run(stacks.delete_stack(aws, stack))[0]
    raise AssertionError("no stack was applied")


@pytest.fixture
def platform_bucket(bare_platform_bucket: str) -> str:
    """A bucket that nothing was published to."""
    return bare_platform_bucket


def test_a_stack_is_created_then_unchanged_then_updated(connection: Aws) -> None:
    told, created = apply(connection, TOPIC, Name="first")
    _, unchanged = apply(connection, TOPIC, Name="first")
    _, updated = apply(connection, TOPIC, Name="first", Extra="1")

    assert [created.action, unchanged.action, updated.action] == ["created", "unchanged", "updated"]
    assert created.stack.outputs["Topic"].endswith(":first")
    assert created.stack.tags == {"the-sink:platform": "x"}
    done = [event for event in told if isinstance(event, ResourceChanged) and event.status.is_success]
    assert [event.logical_id for event in done] == ["Topic"]


def test_parameters_that_are_not_named_keep_their_value(connection: Aws) -> None:
    apply(connection, TOPIC, Name="first", Extra="7")
    _, applied = apply(connection, TOPIC, Name="second")

    assert applied.stack.parameters == {"Name": "second", "Extra": "7"}


def test_a_refused_template_is_one_sentence(connection: Aws) -> None:
    with pytest.raises(SinkError) as caught:
        apply(connection, TOPIC.replace("AWS::SNS::Topic", "AWS::No::Such"), Name="x")

    assert "AWS::No::Such" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_creation_that_fails_names_the_resource_and_offers_the_way_out(connection: Aws) -> None:
    with pytest.raises(SinkError) as caught:
        apply(connection, BROKEN, Name="first")

    assert caught.value.message.startswith(
        "Stack test could not be created: Record (AWS::Route53::RecordSet) in stack test: "
    )
    assert "--yes" in caught.value.hint
    with pytest.raises(SinkError, match="is in ROLLBACK_COMPLETE"):
        apply(connection, TOPIC, Name="first")

    told, applied = apply(connection, TOPIC, Name="first", may_delete=True)

    assert applied.action == "created"
    assert Said("Deleting stack test.") in told


def test_an_export_that_is_in_use_is_named_with_who_uses_it(connection: Aws, aws: Any) -> None:
    exporting = TOPIC.replace("{ Value: !Ref Topic }", "{ Value: !Ref Name, Export: { Name: test-Name } }")
    apply(connection, exporting, Name="first")
    group = {"LogGroupName": {"Fn::ImportValue": "test-Name"}}
    user = {"Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": group}}}
    aws("cloudformation").create_stack(StackName="user", TemplateBody=json.dumps(user))
    aws("cloudformation").get_waiter("stack_create_complete").wait(
        StackName="user", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )

    with pytest.raises(SinkError) as caught:
        apply(connection, exporting, Name="second")

    assert caught.value.message == (
        "Stack test could not be updated: Export test-Name cannot be updated as it is in use by user."
    )
    assert "docs/how-to/serve-https.md" in caught.value.hint


def test_what_waits_for_its_moment_leaves_no_computed_change_if_that_never_comes(
    connection: Aws, aws: Any
) -> None:
    """Someone else would find it, and could apply it long after."""
    asked: list[str] = []

    def refuse() -> Generator[Event, None, None]:
        asked.append("asked")
        yield Said("Waiting.")
        raise SinkError("It never ends.")

    def step(is_new: bool, extra: str) -> Generator[Event, None, StackApplied | None]:
        parameters = {"Name": "first", "Extra": extra}
        wanted = ApplyStack("test", is_new, "stacks/test.yml", parameters, frozenset(), {})
        return stacks.apply_step(connection, wanted, template(TOPIC), before_update=refuse)

    _, created = run(step(True, "1"))
    told, unchanged = run(step(False, "1"))
    with pytest.raises(SinkError, match="never ends"):
        run(step(False, "2"))

    assert created is not None
    assert unchanged is not None
    assert [created.action, unchanged.action, asked] == ["created", "unchanged", ["asked"]]
    assert told == [Said("Comparing stack test.")]
    left = aws("cloudformation").list_change_sets(StackName="test")["Summaries"]
    assert [each for each in left if each["ExecutionStatus"] == "AVAILABLE"] == []


def test_a_large_template_is_read_from_the_platform_bucket(
    connection: Aws, platform_bucket: str, aws: Any
) -> None:
    padded = TOPIC + "# padding\n" * 6000
    step = ApplyStack("large", True, "stacks/python/large.yml", {"Name": "large"}, frozenset(), {})
    large = Template("stacks/python/large.yml", padded, frozenset({"Name", "Extra"}))

    change = stacks.plan_change(connection, step, large, platform_bucket)
    _, applied = run(stacks.apply_change(connection, step, change))

    keys = [each["Key"] for each in aws("s3").list_objects_v2(Bucket=platform_bucket)["Contents"]]
    assert applied.action == "created"
    assert [key.rsplit("-", 1)[0] for key in keys] == ["stacks/python/large"]


def test_without_a_platform_there_is_nothing_to_publish_to(connection: Aws) -> None:
    with pytest.raises(NotFound) as caught:
        platform.describe_platform(connection, "the-sink")

    assert caught.value.message == "There is no platform 'the-sink' in account 000000000000, eu-west-1."
    assert caught.value.hint == "In the platform's repository: invoke platform.bootstrap --sandbox"


def test_the_platform_template_refuses_unknown_parameters(connection: Aws) -> None:
    with pytest.raises(InputError, match="has no parameter 'NetworkEgres'"):
        platform.plan_bootstrap(
            connection, "the-sink", "1.0.0", {"NetworkEgres": "endpoints"}, may_delete=False
        )


def test_a_network_without_subnets_is_refused_here_and_by_the_template(connection: Aws, aws: Any) -> None:
    with pytest.raises(InputError, match="VpcId is vpc-1, and PrivateSubnetIds names 0 of its subnets"):
        platform.plan_bootstrap(connection, "the-sink", "1.0.0", {"VpcId": "vpc-1"}, may_delete=False)

    with pytest.raises(ClientError, match="PrivateSubnetIds must name two subnets"):
        aws("cloudformation").create_stack(
            StackName="by-hand",
            TemplateBody=resource_path(platform.PLATFORM_TEMPLATE).read_text(),
            Parameters=[{"ParameterKey": "VpcId", "ParameterValue": "vpc-1"}],
            Capabilities=["CAPABILITY_IAM"],
        )


def test_a_network_is_named_at_once_or_after(connection: Aws) -> None:
    """What the stack has already counts as much as what is given."""
    network = {"VpcId": "vpc-1", "PrivateSubnetIds": "subnet-1,subnet-2"}
    steps = platform.plan_bootstrap(connection, "the-sink", "1.0.0", network, may_delete=False)
    run(platform.apply_bootstrap(connection, "the-sink", steps))

    platform.plan_bootstrap(connection, "the-sink", "1.0.0", {"NetworkEgress": "nat"}, may_delete=False)
    with pytest.raises(InputError, match="PublicSubnetIds names 1 of its subnets"):
        platform.plan_bootstrap(connection, "the-sink", "1.0.0", {"PublicSubnetIds": "s-1"}, may_delete=False)


def test_a_first_publish_makes_every_channel_and_a_second_changes_nothing(
    connection: Aws, platform_bucket: str, aws: Any
) -> None:
    steps = platform.plan_version(connection, platform_bucket, "1.0.0")
    run(platform.apply_publish(connection, steps, "1.0.0"))

    keys = {each["Key"] for each in aws("s3").list_objects_v2(Bucket=platform_bucket)["Contents"]}
    assert keys == {
        "stacks/python/cfn-template-v1.0.0.yml",
        "stacks/python/cfn-template-v1-stage.yml",
        "stacks/python/cfn-template-v1-uat.yml",
        "stacks/python/cfn-template-v1-prod.yml",
        "stacks/python/cfn-template-v1.1.yml",
        "stacks/python/build/sink-build-v1.0.0.pyz",
        "stacks/python/build/sink-build-v1-stage.pyz",
        "stacks/python/build/sink-build-v1-uat.pyz",
        "stacks/python/build/sink-build-v1-prod.pyz",
    }
    assert platform.plan_version(connection, platform_bucket, "1.0.0") == ()


def test_a_publish_moves_stage_only(connection: Aws, platform_bucket: str) -> None:
    old = b"an older template"
    for env in ("stage", "prod"):
        connection.objects.put(platform_bucket, f"stacks/python/cfn-template-v1-{env}.yml", old)

    steps = platform.plan_version(connection, platform_bucket, "1.0.0")
    run(platform.apply_publish(connection, steps, "1.0.0"))

    assert connection.objects.read(platform_bucket, "stacks/python/cfn-template-v1-stage.yml") != old
    assert connection.objects.read(platform_bucket, "stacks/python/cfn-template-v1-prod.yml") == old


def test_a_version_is_published_once(connection: Aws, platform_bucket: str) -> None:
    connection.objects.put(platform_bucket, "stacks/python/cfn-template-v1.0.0.yml", b"something else")

    with pytest.raises(InputError) as caught:
        platform.plan_version(connection, platform_bucket, "1.0.0")

    assert caught.value.message == (
        "Version 1.0.0 is published already, with another stacks/python/cfn-template.yml."
    )


def test_the_platform_is_made_once_and_then_up_to_date(
    invoke: Any, tmp_path: Path, sandbox: Sandbox, aws: Any
) -> None:
    (tmp_path / "sink.toml").write_text('[platform]\nname = "the-sink"\nregion = "eu-west-1"\n')

    first = invoke(tmp_path, "platform.bootstrap", "--sandbox", namespace=platform_namespace)
    second = invoke(tmp_path, "platform.bootstrap", "--sandbox", namespace=platform_namespace)

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert first.out.startswith("Stack the-sink-platform is created.\n")
    assert second.out.startswith("Stack the-sink-platform is up to date.\n")
    stack = aws("cloudformation").describe_stacks(StackName="the-sink-platform")["Stacks"][0]
    assert {each["Key"]: each["Value"] for each in stack["Tags"]} == {
        "the-sink:platform": "the-sink",
        "the-sink:template-version": platform_version(),
    }
    bucket = next(each for each in stack["Outputs"] if each["OutputKey"] == "PipelineS3Bucket")["OutputValue"]
    versioning = aws("s3").get_bucket_versioning(Bucket=bucket)
    assert versioning["Status"] == "Enabled"
