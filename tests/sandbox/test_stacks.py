"""CloudFormation refuses and updates what AWS refuses and updates, where the emulator alone does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from the_sink.sandbox import lifecycle
from the_sink.sandbox.emulator import stacks

from .helpers import BUCKET, Pipelines, wait_for

LOG = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/made"}}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


def log_group(name: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}


def nested(url: str, **parameters: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": url, "Parameters": parameters},
    }


def with_arn(**more: str) -> dict[str, Any]:
    """A template with a parameter that is empty or an ARN."""
    parameter = {"Type": "String", "AllowedPattern": "|arn:.+", **more}
    return {"Parameters": {"Arn": parameter}, "Resources": {"Log": LOG}}


def log_names(pipelines: Pipelines) -> list[str]:
    return [entry["logGroupName"] for entry in pipelines.aws("logs").describe_log_groups()["logGroups"]]


@pytest.mark.parametrize(
    ("template", "arguments", "problem"),
    [
        (
            {"Resources": {"Log": LOG}},
            {"Parameters": [{"ParameterKey": "Odd", "ParameterValue": "1"}]},
            r"Parameters: \[Odd\] do not exist in the template",
        ),
        (
            with_arn(ConstraintDescription="empty, or an ARN"),
            {"Parameters": [{"ParameterKey": "Arn", "ParameterValue": "x"}]},
            "Parameter Arn failed to satisfy constraint: empty, or an ARN$",
        ),
        (
            with_arn(),
            {"Parameters": [{"ParameterKey": "Arn", "ParameterValue": "x"}]},
            r"Parameter 'Arn' must match pattern \|arn:\.\+$",
        ),
        ({"Resources": {"Role": ROLE}}, {}, r"Requires capabilities : \[CAPABILITY_IAM\]"),
        (
            {"Resources": {"Role": {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": "named"}}}},
            {"Capabilities": ["CAPABILITY_IAM"]},
            r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]",
        ),
        (
            {"Resources": {"Log": log_group({"Ref": "None"})}},
            {},
            r"dependencies \[None\]",
        ),
        (
            {"Resources": {"Log": log_group({"Fn::Sub": "/${A.B}"})}},
            {},
            r"dependencies \[A\]",
        ),
        ({"Resources": {"Log": {**LOG, "DependsOn": ["Gone"]}}}, {}, "Gone"),
        ({"Resources": {"Odd": {"Type": "AWS::Odd::Thing"}}}, {}, "Unrecognized resource types"),
    ],
)
def test_a_request_that_aws_refuses_is_refused(
    pipelines: Pipelines, template: dict[str, Any], arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match=problem):
        pipelines.stack("refused", template, **arguments)

    assert pipelines.stacks.describe_stacks()["Stacks"] == []


def test_a_stack_whose_creation_was_rolled_back_is_neither_created_nor_updated(pipelines: Pipelines) -> None:
    broken = {"Resources": {"Log": LOG, "Same": {**LOG, "DependsOn": "Log"}}}
    assert pipelines.stack("broken", broken)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert log_names(pipelines) == []

    body = json.dumps({"Resources": {"Log": LOG}})
    with pytest.raises(pipelines.stacks.exceptions.AlreadyExistsException):
        pipelines.stacks.create_stack(StackName="broken", TemplateBody=body)
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        pipelines.stacks.update_stack(StackName="broken", TemplateBody=body)


@pytest.mark.parametrize("host", ["{bucket}.s3.amazonaws.com", "{bucket}.s3.eu-west-1.amazonaws.com"])
def test_templates_are_found_by_their_virtual_host_address(pipelines: Pipelines, host: str) -> None:
    pipelines.s3.put_object(Bucket=BUCKET, Key="stacks/log.yml", Body=json.dumps({"Resources": {"Log": LOG}}))
    url = f"https://{host.format(bucket=BUCKET)}/stacks/log.yml"

    pipelines.stacks.create_stack(StackName="direct", TemplateURL=url)
    wait_for(lambda: pipelines.settled("direct"), "the stack")
    assert log_names(pipelines) == ["/made"]
    pipelines.stacks.delete_stack(StackName="direct")
    wait_for(lambda: log_names(pipelines) == [], "the deletion")

    pipelines.stack("parent", {"Resources": {"Child": nested(url)}})
    assert log_names(pipelines) == ["/made"]


class TestNested:
    """A stack whose nested template changes behind the same address."""

    @pytest.fixture
    def parent(self, pipelines: Pipelines) -> dict[str, Any]:
        self.publish(pipelines, log_group({"Ref": "Name"}))
        url = f"https://{BUCKET}.s3.amazonaws.com/child.yml"
        template = {
            "Resources": {"Child": nested(url, Name="/one")},
            "Outputs": {"Log": {"Value": {"Fn::GetAtt": ["Child", "Outputs.LogName"]}}},
        }
        assert pipelines.stack("parent", template)["StackStatus"] == "CREATE_COMPLETE"
        return template

    def publish(self, pipelines: Pipelines, log: dict[str, Any], **more: Any) -> None:
        child = {
            "Parameters": {"Name": {"Type": "String"}},
            "Resources": {"Log": log, **more},
            "Outputs": {"LogName": {"Value": {"Ref": "Log"}}},
        }
        pipelines.s3.put_object(Bucket=BUCKET, Key="child.yml", Body=json.dumps(child))

    def test_deleting_the_parent_keeps_what_is_to_be_retained(self, pipelines: Pipelines) -> None:
        kept = {**log_group("/kept"), "DeletionPolicy": "RetainExceptOnCreate"}
        self.publish(pipelines, log_group({"Ref": "Name"}), Kept=kept)
        child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
        pipelines.stack("parent", {"Resources": {"Child": child}})
        assert log_names(pipelines) == ["/kept", "/one"]

        pipelines.stacks.delete_stack(StackName="parent")

        wait_for(lambda: log_names(pipelines) == ["/kept"], "the deletion")

    def test_a_creation_that_fails_leaves_nothing_behind(self, pipelines: Pipelines) -> None:
        kept = {**log_group("/kept"), "DeletionPolicy": "RetainExceptOnCreate"}
        same = {**log_group("/one"), "DependsOn": ["Log", "Kept"]}
        self.publish(pipelines, log_group({"Ref": "Name"}), Kept=kept, Same=same)
        child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
        stack = pipelines.stack("parent", {"Resources": {"Child": child}})

        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert log_names(pipelines) == []
        events = pipelines.stacks.describe_stack_events(StackName="parent")["StackEvents"]
        (failed,) = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
        causes = pipelines.stacks.describe_stack_events(StackName=failed["PhysicalResourceId"])["StackEvents"]
        assert any("already exists" in event.get("ResourceStatusReason", "") for event in causes)

    def test_an_update_takes_the_new_content(self, pipelines: Pipelines, parent: dict[str, Any]) -> None:
        self.publish(pipelines, log_group({"Ref": "Name"}), Second=log_group("/two"))

        stack = pipelines.stack("parent", parent)

        assert stack["StackStatus"] == "UPDATE_COMPLETE"
        assert stack["Outputs"][0]["OutputValue"] == "/one"
        assert log_names(pipelines) == ["/one", "/two"]

    def test_an_update_without_any_change_is_no_error(
        self, pipelines: Pipelines, parent: dict[str, Any]
    ) -> None:
        for _ in range(2):
            stack = pipelines.stack("parent", parent)
            assert (stack["StackStatus"], stack["Outputs"][0]["OutputValue"]) == ("UPDATE_COMPLETE", "/one")

    @pytest.mark.parametrize("retention", [1, 7], ids=["unchanged", "changed"])
    def test_attributes_outlive_an_update(self, pipelines: Pipelines, retention: int) -> None:
        """A resource that is unchanged, or updated in place, is asked for an attribute by another."""

        def deploy(days: int) -> dict[str, Any]:
            log = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}
            queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": days}}
            names = {"Fn::Join": ["|", [{"Fn::GetAtt": ["Log", "Arn"]}, {"Fn::GetAtt": ["Queue", "Arn"]}]]}
            told = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": names}}
            self.publish(pipelines, log, Queue=queue, Told=told)
            child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
            return pipelines.stack("parent", {"Resources": {"Child": child}})

        assert deploy(1)["StackStatus"] == "CREATE_COMPLETE"
        ssm = pipelines.aws("ssm")
        (parameter,) = [entry["Name"] for entry in ssm.describe_parameters()["Parameters"]]
        first = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]

        assert deploy(retention)["StackStatus"] == "UPDATE_COMPLETE"
        assert ssm.get_parameter(Name=parameter)["Parameter"]["Value"] == first
        assert first.startswith("arn:aws:logs:")
        assert "|arn:aws:sqs:" in first
        (log,) = pipelines.aws("logs").describe_log_groups()["logGroups"]
        assert log["retentionInDays"] == retention

    def test_a_change_set_shows_the_nested_stack(self, pipelines: Pipelines, parent: dict[str, Any]) -> None:
        pipelines.stacks.create_change_set(
            StackName="parent", ChangeSetName="look", TemplateBody=json.dumps(parent)
        )
        found = pipelines.stacks.describe_change_set(StackName="parent", ChangeSetName="look")

        assert found["Status"] == "CREATE_COMPLETE"
        (change,) = [change["ResourceChange"] for change in found["Changes"]]
        assert (change["Action"], change["LogicalResourceId"]) == ("Modify", "Child")

    def test_a_failure_is_rolled_back_to_the_content_before(
        self, pipelines: Pipelines, parent: dict[str, Any]
    ) -> None:
        same = {**log_group("/one"), "DependsOn": "Extra"}
        self.publish(pipelines, log_group({"Ref": "Name"}), Extra=log_group("/extra"), Same=same)

        stack = pipelines.stack("parent", parent)

        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert log_names(pipelines) == ["/one"]
        events = pipelines.stacks.describe_stack_events(StackName="parent")["StackEvents"]
        failed = next(event for event in events if event["ResourceStatus"] == "UPDATE_FAILED")
        child = failed["PhysicalResourceId"]
        assert failed["ResourceStatusReason"].startswith(
            f"Embedded stack {child} was not successfully updated"
        )
        assert "failed to create: [Same]" in failed["ResourceStatusReason"]
        causes = pipelines.stacks.describe_stack_events(StackName=child)["StackEvents"]
        (cause,) = [e for e in causes if "already exists" in e.get("ResourceStatusReason", "")]
        assert (cause["LogicalResourceId"], cause["ResourceStatus"]) == ("Same", "CREATE_FAILED")

    def test_an_update_tells_of_what_is_new_or_changes_and_of_nothing_else(
        self, pipelines: Pipelines
    ) -> None:
        """In a stack and in what is nested in it, their records too."""

        def group(days: int) -> dict[str, Any]:
            return {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}

        def deploy(days: int, **new: Any) -> str:
            self.publish(pipelines, log_group({"Ref": "Name"}), Changing=group(days), **new)
            child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
            resources = {"Child": child, "Same": group(1), "Other": group(days), **new}
            return str(pipelines.stack("parent", {"Resources": resources})["StackStatus"])

        def told(stack: str) -> list[tuple[str, str]]:
            events = reversed(pipelines.stacks.describe_stack_events(StackName=stack)["StackEvents"])
            return [(e["LogicalResourceId"], e["ResourceStatus"]) for e in events]

        def both(what: str, name: str) -> list[tuple[str, str]]:
            return [(name, f"{what}_IN_PROGRESS"), (name, f"{what}_COMPLETE")]

        def recorded(stack: str) -> dict[str, str]:
            found = pipelines.stacks.describe_stack_resources(StackName=stack)["StackResources"]
            return {entry["LogicalResourceId"]: entry["ResourceStatus"] for entry in found}

        assert deploy(1) == "CREATE_COMPLETE"
        child = pipelines.stacks.describe_stack_resource(StackName="parent", LogicalResourceId="Child")
        arn = child["StackResourceDetail"]["PhysicalResourceId"]
        name = arn.split("/")[1]
        seen = len(told("parent")), len(told(arn))

        assert deploy(7, Added=group(3)) == "UPDATE_COMPLETE"

        parents, childs = told("parent")[seen[0] :], told(arn)[seen[1] :]
        whole, inner = both("UPDATE", "parent"), both("UPDATE", name)
        changes = [*both("UPDATE", "Child"), *both("UPDATE", "Other"), *both("CREATE", "Added")]
        assert sorted(parents) == sorted([*whole, *changes])
        assert sorted(childs) == sorted([*inner, *both("UPDATE", "Changing"), *both("CREATE", "Added")])
        assert recorded("parent") == {
            "Child": "UPDATE_COMPLETE",
            "Same": "CREATE_COMPLETE",
            "Other": "UPDATE_COMPLETE",
            "Added": "CREATE_COMPLETE",
        }
        assert recorded(arn) == {
            "Log": "CREATE_COMPLETE",
            "Changing": "UPDATE_COMPLETE",
            "Added": "CREATE_COMPLETE",
        }
        seen = len(told("parent")), len(told(arn))

        assert deploy(7) == "UPDATE_COMPLETE"

        gone = both("DELETE", "Added")
        assert sorted(told("parent")[seen[0] :]) == sorted([*whole, *both("UPDATE", "Child"), *gone])
        assert sorted(told(arn)[seen[1] :]) == sorted([*inner, *gone])

    @pytest.mark.usefixtures("parent")
    def test_the_parents_events_name_the_child_before_it_is_complete(self, pipelines: Pipelines) -> None:
        events = pipelines.stacks.describe_stack_events(StackName="parent")["StackEvents"]
        begun = {
            event["LogicalResourceId"]: event["PhysicalResourceId"]
            for event in events
            if event.get("ResourceStatusReason") == "Resource creation Initiated"
        }

        assert set(begun) == {"Child"}
        assert begun["Child"].startswith("arn:aws:cloudformation:")


@pytest.mark.parametrize(("given", "logs"), [("", []), ("a", ["/joined"]), ("a,b", ["/joined"])])
def test_a_condition_tells_an_empty_list(given: str, logs: list[str], pipelines: Pipelines) -> None:
    joined = {"Fn::Join": [",", {"Ref": "Names"}]}
    template = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": given}},
        "Conditions": {"HasNames": {"Fn::Not": [{"Fn::Equals": [joined, ""]}]}},
        "Resources": {
            "Log": {**log_group("/joined"), "Condition": "HasNames"},
            "Always": log_group("/always"),
        },
    }

    pipelines.stack("joined", template)

    assert log_names(pipelines) == ["/always", *logs]


def test_a_change_set_sees_a_condition_flip(pipelines: Pipelines) -> None:
    template = {
        "Parameters": {"Extra": {"Type": "String", "Default": "no"}},
        "Conditions": {"HasExtra": {"Fn::Equals": [{"Ref": "Extra"}, "yes"]}},
        "Resources": {"Log": LOG, "Second": {**log_group("/two"), "Condition": "HasExtra"}},
    }
    pipelines.stack("flips", template)
    pipelines.stacks.create_change_set(
        StackName="flips",
        ChangeSetName="flip",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Extra", "ParameterValue": "yes"}],
    )
    found = pipelines.stacks.describe_change_set(StackName="flips", ChangeSetName="flip")

    assert found["Status"] == "CREATE_COMPLETE"
    changes = [
        (c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in found["Changes"]
    ]
    assert changes == [("Add", "Second")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [("", "arn:one", {"Arn": "arn:one"}), ("arn:one", "arn:two", {"Arn": "arn:two"}), ("arn:one", "", {})],
)
def test_a_change_set_sees_outputs_change(
    before: str, after: str, said: dict[str, str], pipelines: Pipelines
) -> None:
    """Without a change of any resource: it is executed, and has none to show."""
    template = {
        "Parameters": {"Arn": {"Type": "String", "Default": before}},
        "Conditions": {"HasArn": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Arn"}, ""]}]}},
        "Resources": {"Log": LOG},
        "Outputs": {"Arn": {"Condition": "HasArn", "Value": {"Fn::Sub": "${Arn}"}}},
    }
    pipelines.stack("said", template)
    arguments = {
        "StackName": "said",
        "UsePreviousTemplate": True,
        "Parameters": [{"ParameterKey": "Arn", "ParameterValue": after}],
    }

    pipelines.stacks.create_change_set(ChangeSetName="change", **arguments)
    described = pipelines.stacks.describe_change_set(StackName="said", ChangeSetName="change")
    assert (described["Status"], described["Changes"]) == ("CREATE_COMPLETE", [])
    pipelines.stacks.execute_change_set(StackName="said", ChangeSetName="change")
    pipelines.stacks.get_waiter("stack_update_complete").wait(
        StackName="said", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )

    (stack,) = pipelines.stacks.describe_stacks(StackName="said")["Stacks"]
    assert {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])} == said
    pipelines.stacks.create_change_set(ChangeSetName="again", **arguments)
    again = pipelines.stacks.describe_change_set(StackName="said", ChangeSetName="again")
    assert again["Status"] == "FAILED"


def test_an_export_neither_changes_nor_goes_while_a_stack_imports_it(pipelines: Pipelines) -> None:
    """One that names the export and does not use it, by its conditions, is in no way."""
    exporter = {
        "Parameters": {"Arn": {"Type": "String"}},
        "Conditions": {"HasArn": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Arn"}, ""]}]}},
        "Resources": {"Log": LOG},
        "Outputs": {
            "Arn": {"Condition": "HasArn", "Value": {"Ref": "Arn"}, "Export": {"Name": "the-arn"}},
        },
    }
    imported = {"Fn::ImportValue": "the-arn"}

    def export(arn: str) -> str:
        given = [{"ParameterKey": "Arn", "ParameterValue": arn}]
        return str(pipelines.stack("exporter", exporter, Parameters=given)["StackStatus"])

    def deploy(name: str, user: str) -> None:
        more = {**log_group({"Fn::Join": ["-", ["/more", imported]]}), "Condition": "IsUser"}
        template = {
            "Conditions": {"IsUser": {"Fn::Equals": [user, "yes"]}},
            "Resources": {"Log": log_group({"Fn::If": ["IsUser", imported, f"/{name}"]}), "More": more},
        }
        assert pipelines.stack(name, template)["StackStatus"].endswith("_COMPLETE")

    def reasons() -> list[str]:
        events = pipelines.stacks.describe_stack_events(StackName="exporter")["StackEvents"]
        assert [e for e in events if e["ResourceStatus"].endswith("_FAILED")] == []
        return [
            e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("ROLLBACK_IN_PROGRESS")
        ]

    export("one")
    for name, user in (("a-user", "yes"), ("other", "no")):
        deploy(name, user)

    assert pipelines.stacks.list_imports(ExportName="the-arn")["Imports"] == ["a-user"]
    assert [export("two"), export("")] == ["UPDATE_ROLLBACK_COMPLETE"] * 2
    assert reasons() == [
        "Export the-arn cannot be deleted as it is in use by a-user",
        "Export the-arn cannot be updated as it is in use by a-user",
    ]
    assert [e["Value"] for e in pipelines.stacks.list_exports()["Exports"]] == ["one"]

    deploy("a-user", "no")

    assert export("two") == "UPDATE_COMPLETE"
    assert [e["Value"] for e in pipelines.stacks.list_exports()["Exports"]] == ["two"]
    assert export("") == "UPDATE_COMPLETE"
    assert pipelines.stacks.list_exports()["Exports"] == []


def test_a_secret_is_referred_to_by_its_arn_wherever_it_is_used(pipelines: Pipelines) -> None:
    template = {
        "Resources": {
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Name": "core", "SecretString": '{"user": "app"}', "Description": "first"},
            },
            "Log": log_group({"Fn::Sub": "/{{resolve:secretsmanager:${Secret}:SecretString:user}}"}),
        },
        "Outputs": {"Arn": {"Value": {"Ref": "Secret"}}},
    }
    stack = pipelines.stack("secretive", template)
    secrets = pipelines.aws("secretsmanager")
    arn = secrets.describe_secret(SecretId="core")["ARN"]

    assert stack["Outputs"][0]["OutputValue"] == arn
    assert log_names(pipelines) == ["/app"]
    template["Resources"]["Secret"]["Properties"]["Description"] = "second"
    assert pipelines.stack("secretive", template)["StackStatus"] == "UPDATE_COMPLETE"
    described = secrets.describe_secret(SecretId="core")
    assert (described["ARN"], described["Description"]) == (arn, "second")
    pipelines.stacks.delete_stack(StackName="secretive")
    wait_for(lambda: not secrets.list_secrets()["SecretList"], "the deletion")


def test_missing_resource_types_exist_and_those_without_effect_are_named(
    pipelines: Pipelines, sandbox: lifecycle.Sandbox
) -> None:
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g"}}
    rule = {"GroupId": {"Ref": "Group"}, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    template = {
        "Resources": {
            "Group": group,
            "Address": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
            "Nat": {
                "Type": "AWS::EC2::NatGateway",
                "Properties": {
                    "SubnetId": "subnet-1",
                    "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]},
                },
            },
            "In": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {**rule, "CidrIp": "10.0.0.0/8"}},
            "Out": {"Type": "AWS::EC2::SecurityGroupEgress", "Properties": {**rule, "CidrIp": "10.9.0.0/16"}},
            "Oidc": {
                "Type": "AWS::IAM::OIDCProvider",
                "Properties": {
                    "Url": "https://token.actions.githubusercontent.com",
                    "ClientIdList": ["sts.amazonaws.com"],
                },
            },
            "Scale": {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ResourceId": "service/c/s",
                    "ScalableDimension": "ecs:service:DesiredCount",
                    "ServiceNamespace": "ecs",
                    "MinCapacity": 1,
                    "MaxCapacity": 2,
                },
            },
            "Policy": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": "cpu",
                    "PolicyType": "TargetTrackingScaling",
                    "ScalingTargetId": {"Ref": "Scale"},
                },
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "app/stage/cpu",
                    "Namespace": "AWS/ECS",
                    "MetricName": "CPUUtilization",
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                    "EvaluationPeriods": 1,
                    "Threshold": 90,
                },
            },
        },
        "Outputs": {
            "Oidc": {"Value": {"Ref": "Oidc"}},
            "Scale": {"Value": {"Ref": "Scale"}},
            "Ip": {"Value": {"Ref": "Address"}},
        },
    }
    stack = pipelines.stack("types", template)
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}
    ec2, iam = pipelines.aws("ec2"), pipelines.aws("iam")

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert outputs["Oidc"] == ("arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com")
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=outputs["Oidc"])["ClientIDList"] == [
        "sts.amazonaws.com"
    ]
    assert outputs["Scale"] == "service/c/s|ecs:service:DesiredCount|ecs"
    assert [address["PublicIp"] for address in ec2.describe_addresses()["Addresses"]] == [outputs["Ip"]]
    resources = {
        entry["LogicalResourceId"]: entry["PhysicalResourceId"]
        for entry in pipelines.stacks.describe_stack_resources(StackName="types")["StackResources"]
    }
    (found,) = ec2.describe_security_groups(GroupIds=[resources["Group"]])["SecurityGroups"]
    assert [entry["IpRanges"][0]["CidrIp"] for entry in found["IpPermissions"]] == ["10.0.0.0/8"]
    assert "10.9.0.0/16" in [r["CidrIp"] for e in found["IpPermissionsEgress"] for r in e["IpRanges"]]
    assert [text.partition("*")[0] for text in lifecycle.status("default")["simulated"]] == [
        "AWS::ApplicationAutoScaling::",
        "AWS::CloudWatch::",
        "AWS::EC2::",
    ]
    pipelines.stacks.delete_stack(StackName="types")
    wait_for(lambda: not ec2.describe_addresses()["Addresses"], "the deletion")
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert lifecycle.status("default")["simulated"] == []


def test_a_database_that_only_is_recorded_says_so(pipelines: Pipelines, sandbox: lifecycle.Sandbox) -> None:
    """In the event that would otherwise call it complete, of a nested stack too."""
    database = {
        "Type": "AWS::RDS::DBInstance",
        "Properties": {"DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20"},
    }
    body = json.dumps({"Resources": {"Database": database, "Log": LOG}})
    pipelines.s3.put_object(Bucket=BUCKET, Key="data.yml", Body=body)

    stack = pipelines.stack(
        "data", {"Resources": {"Child": nested(f"https://{BUCKET}.s3.amazonaws.com/data.yml")}}
    )

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    (child,) = [
        s["StackName"] for s in pipelines.stacks.describe_stacks()["Stacks"] if s["StackName"] != "data"
    ]
    reasons = {
        event["LogicalResourceId"]: event.get("ResourceStatusReason", "")
        for event in pipelines.stacks.describe_stack_events(StackName=child)["StackEvents"]
        if event["ResourceStatus"] == "CREATE_COMPLETE"
    }
    assert reasons == {
        "Database": "The sandbox only records this database: none runs at its address.",
        "Log": "",
        child: "",
    }
    note = "AWS::RDS::*: a database of another engine than postgres is recorded; none runs"
    assert note in lifecycle.status("default")["simulated"]


def test_a_load_balancer_without_a_name_gets_a_lasting_address(pipelines: Pipelines) -> None:
    balancer = {
        "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Properties": {"Subnets": ["subnet-1", "subnet-2"]},
    }
    template = {
        "Resources": {"Balancer": balancer},
        "Outputs": {"Address": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}}},
    }
    address = pipelines.stack("unnamed", template)["Outputs"][0]["OutputValue"]
    (found,) = pipelines.aws("elbv2").describe_load_balancers()["LoadBalancers"]
    balancer["Properties"]["Tags"] = [{"Key": "a", "Value": "b"}]

    assert address == found["DNSName"]
    assert address.partition(":")[0] == f"{found['LoadBalancerName']}.alb.localhost"
    assert pipelines.stack("unnamed", template)["Outputs"][0]["OutputValue"] == address


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://b-1.s3.amazonaws.com/a/b.yml", "https://s3.amazonaws.com/b-1/a/b.yml"),
        ("https://b.c.s3.eu-west-1.amazonaws.com/a%20b", "https://s3.amazonaws.com/b.c/a b"),
        ("https://b-1.s3-eu-west-1.amazonaws.com/a", "https://s3.amazonaws.com/b-1/a"),
        ("https://s3.eu-west-1.amazonaws.com/b/a", "https://s3.eu-west-1.amazonaws.com/b/a"),
        ("http://127.0.0.1:4566/b/a", "http://127.0.0.1:4566/b/a"),
    ],
)
def test_addresses_are_read_in_both_styles(url: str, read: str) -> None:
    assert stacks.path_style(url) == read


def test_the_resources_of_the_how_to_deploy_and_their_policy_takes_effect(
    pipelines: Pipelines, sandbox: lifecycle.Sandbox
) -> None:
    """A policy of one role: put on it, changed, renamed and taken away."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-resource.md"
    block = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)[0]
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "sts:AssumeRole",
    }
    child = {
        "Resources": {
            "TaskRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
            }
        },
        "Outputs": {
            "TaskRoleName": {"Value": {"Ref": "TaskRole"}},
            "TaskRoleArn": {"Value": {"Fn::GetAtt": ["TaskRole", "Arn"]}},
        },
    }
    pipelines.s3.put_object(Bucket=BUCKET, Key="child.yml", Body=json.dumps(child))
    nested_stack = json.dumps(nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml"))
    outputs = (
        "{Role: {Value: !GetAtt StackPython.Outputs.TaskRoleName}, "
        "Arn: {Value: !GetAtt StackPython.Outputs.TaskRoleArn}, Bucket: {Value: !Ref ReportsBucket}}"
    )

    def deploy(resources: str, change: Any) -> dict[str, str]:
        body = f"Resources:\n  StackPython: {nested_stack}\n\n{resources}\nOutputs: {outputs}\n"
        change(StackName="page", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stack = wait_for(lambda: pipelines.settled("page"), "the stack")
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        return {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}

    def names() -> list[str]:
        return pipelines.aws("iam").list_role_policies(RoleName=made["Role"])["PolicyNames"]

    made = deploy(block, pipelines.stacks.create_stack)
    session = pipelines.aws("sts").assume_role(RoleArn=made["Arn"], RoleSessionName="task")["Credentials"]
    task = boto3.client(
        "s3",
        endpoint_url=sandbox.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    task.put_object(Bucket=made["Bucket"], Key="report", Body=b"one")

    deploy(block.replace("s3:PutObject", "s3:DeleteObject"), pipelines.stacks.update_stack)
    with pytest.raises(ClientError, match="not authorized to perform: s3:PutObject"):
        task.put_object(Bucket=made["Bucket"], Key="report", Body=b"two")
    assert names() == ["reports"]
    deploy(block.replace("PolicyName: reports", "PolicyName: renamed"), pipelines.stacks.update_stack)
    task.put_object(Bucket=made["Bucket"], Key="report", Body=b"three")
    assert names() == ["renamed"]

    deploy(block.partition("  ReportsPolicy:")[0], pipelines.stacks.update_stack)
    assert names() == []
    with pytest.raises(ClientError, match="not authorized to perform: s3:GetObject"):
        task.get_object(Bucket=made["Bucket"], Key="report")
