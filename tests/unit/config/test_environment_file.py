"""A configuration file is what CodePipeline takes, or each thing wrong with it is named."""

# Tables of whole sentences read better unbroken.
# ruff: noqa: E501

from __future__ import annotations

import json

import pytest

from the_sink.checks.environment_file import check_environment_file
from the_sink.config.environment_file import file_name, parse_environment_file
from the_sink.config.stack_template import Parameter

FILE = "aws/cfn-template-configuration-stage.json"

VALUES = {
    "PlatformName": "the-sink",
    "AppName": "my-app",
    "AppEnv": "stage",
    "RuntimeVersion": "3.13",
    "TaskCpu": "256",
    "TaskMemory": "512",
    "TaskEphemeralStorage": "21",
    "EcsAlbIdleTimeout": "60",
    "InstancesCount": "1",
    "EcrTag": "stage",
    "RDSInstanceClass": "none",
    "RDSStorageType": "gp3",
    "RDSAllocatedStorage": "20",
    "RDSEngineVersion": "16.3",
    "UniqueDomainName": "",
    "UniqueDomainNameCertificateArn": "",
    "UsePlatformCertificate": "false",
    "InstancesMaximum": "0",
    "HealthCheckGracePeriod": "auto",
    "AlarmTopicArn": "",
    "RDSConnectionsAlarm": "60",
}
DECLARED = {
    name: Parameter(name, "String", default=None if name == "AppName" else value)
    for name, value in VALUES.items()
}


def problems_of(text: str) -> list[str]:
    content, problems = parse_environment_file(text, FILE)
    return [str(problem) for problem in [*problems, *check_environment_file(content, FILE, DECLARED)]]


def with_values(**changed: object) -> str:
    return json.dumps({"Parameters": {**VALUES, **changed}, "Tags": {"Name": "my-app"}})


def test_a_file_as_generated_is_in_order():
    content, problems = parse_environment_file(with_values(), FILE)

    assert problems == []
    assert content.parameters == VALUES
    assert content.tags == {"Name": "my-app"}
    assert check_environment_file(content, FILE, DECLARED) == []
    assert file_name("stage") == FILE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Parameters": {},}', "it is not JSON: illegal trailing comma before end of object in line 1, column 18."),
        ("", "it is not JSON: expecting value in line 1, column 1."),
        ("[]", "it is a list; expected: an object with Parameters and Tags."),
        ("3", "it is the number 3; expected: an object with Parameters and Tags."),
        ("null", "it is null; expected: an object with Parameters and Tags."),
        ("{}", "Parameters is missing."),
        ('{"Parameters": []}', "Parameters is a list; expected: an object of strings."),
        ('{"Parameters": {"AppName": "my-app"}, "Tag": {}}', "Tag is no key of it. Did you mean 'Tags'?"),
        ('{"Parameters": {"AppName": "my-app"}, "Tags": {"a": 5}}', "a is the number 5; CloudFormation takes strings only: write \"5\"."),
        ('{"Parameters": {"AppName": "my-app"}, "StackPolicy": "x"}', "StackPolicy is text; expected: an object."),
        ('{"Parameters": {"AppName": "a", "AppName": "my-app"}}', "AppName is there twice; only the last one would count."),
        ('\ufeff{"Parameters": {"AppName": "my-app"}}', "it begins with a byte order mark."),
        ('{"Parameters": {"AppName": "my-app", "TaskCpu": NaN}}', "TaskCpu is no JSON; CloudFormation takes strings only."),
    ],
)  # fmt: skip
def test_what_codepipeline_cannot_read_is_named(text, message):
    found = problems_of(text)
    # The words for a trailing comma are Python's own, and differ between its versions.
    if "trailing comma" in message:
        assert any(problem.startswith(f"{FILE}: it is not JSON: ") for problem in found)
    else:
        assert f"{FILE}: {message}" in found


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"TaskCpu": 256}, 'TaskCpu is the number 256; CloudFormation takes strings only: write "256".'),
        ({"InstancesCount": True}, 'InstancesCount is true; CloudFormation takes strings only: write "true".'),
        ({"EcrTag": None}, "EcrTag is null; CloudFormation takes strings only."),
        ({"EcrTag": ["a"]}, "EcrTag is a list; CloudFormation takes strings only."),
        ({"TaskCPU": "256"}, "TaskCPU is no parameter of aws/cfn-template.yml. Did you mean 'TaskCpu'?"),
        ({"Xyzzy": "1"}, "Xyzzy is no parameter of aws/cfn-template.yml."),
        ({"TaskCpu": "128"}, 'TaskCpu is "128"; Fargate takes 256, 512, 1024, 2048, 4096, 8192, 16384.'),
        ({"TaskMemory": "1g"}, 'TaskMemory is "1g"; expected: a whole number from 512 to 122880.'),
        ({"TaskMemory": "4096"}, "Fargate refuses TaskMemory 4096 with TaskCpu 256; with 256 it takes 512, 1024, 2048."),
        ({"TaskCpu": "8192", "TaskMemory": "17408"}, "Fargate refuses TaskMemory 17408 with TaskCpu 8192; with 8192 it takes 16384 to 61440 in steps of 4096."),
        ({"TaskEphemeralStorage": "20"}, 'TaskEphemeralStorage is "20"; expected: a whole number from 21 to 200.'),
        ({"EcsAlbIdleTimeout": "0"}, 'EcsAlbIdleTimeout is "0"; expected: a whole number from 1 to 4000.'),
        ({"InstancesCount": "-1"}, 'InstancesCount is "-1"; expected: a whole number of at least 0.'),
        ({"EcrTag": "a b"}, 'EcrTag is "a b"; expected: an image tag.'),
        ({"RDSInstanceClass": "t4g"}, 'RDSInstanceClass is "t4g"; expected: none, or an instance class such as db.t4g.micro.'),
        ({"RDSStorageType": "io1"}, 'RDSStorageType is "io1"; expected: gp2 or gp3.'),
        ({"RDSAllocatedStorage": "10"}, 'RDSAllocatedStorage is "10"; expected: a whole number from 20 to 65536.'),
        ({"RDSEngineVersion": "new"}, 'RDSEngineVersion is "new"; expected: a PostgreSQL version such as 16.3.'),
        ({"UniqueDomainName": "a_b"}, 'UniqueDomainName is "a_b"; expected: empty, or a domain name.'),
        ({"UniqueDomainName": "my.example.org", "UniqueDomainNameCertificateArn": "arn"}, 'UniqueDomainNameCertificateArn is "arn"; expected: empty, or the ARN of a certificate.'),
        ({"InstancesCount": "3", "InstancesMaximum": "2"}, "InstancesMaximum 2 is less than InstancesCount 3, which autoscaling starts from; 0 stands for no autoscaling."),
        ({"InstancesMaximum": "many"}, 'InstancesMaximum is "many"; expected: a whole number of at least 0.'),
        ({"HealthCheckGracePeriod": "5m"}, 'HealthCheckGracePeriod is "5m"; expected: auto, or 0 to 600 seconds.'),
        ({"HealthCheckGracePeriod": "601"}, 'HealthCheckGracePeriod is "601"; expected: auto, or 0 to 600 seconds.'),
        ({"AlarmTopicArn": "ops"}, 'AlarmTopicArn is "ops"; expected: empty, or the ARN of an SNS topic.'),
        ({"RDSConnectionsAlarm": "0"}, 'RDSConnectionsAlarm is "0"; expected: a whole number of at least 1.'),
        ({"RuntimeVersion": "2.7"}, 'RuntimeVersion is "2.7"; the platform\'s runtimes are 3.10, 3.11, 3.12, 3.13, 3.14.'),
        ({"RuntimeVersion": "3.1"}, 'RuntimeVersion is "3.1", which 3.10 becomes wherever its quotes are lost; write "3.10".'),
    ],
)  # fmt: skip
def test_a_value_that_would_fail_the_deploy_is_named(changed, message):
    assert problems_of(with_values(**changed)) == [f"{FILE}: {message}"]


@pytest.mark.parametrize(
    "certificate",
    [
        {"UsePlatformCertificate": "true"},
        {"UniqueDomainNameCertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1"},
    ],
)
def test_a_certificate_needs_a_name_that_it_is_for(certificate):
    content, _ = parse_environment_file(with_values(**certificate), FILE)
    named, _ = parse_environment_file(with_values(**certificate, UniqueDomainName="my.example.org"), FILE)

    (problem,) = check_environment_file(content, FILE, DECLARED)
    assert problem.is_warning
    assert str(problem) == (
        f"{FILE}: a certificate without a UniqueDomainName: none is for the load balancer's own address."
    )
    assert check_environment_file(named, FILE, DECLARED) == []


@pytest.mark.parametrize("written", ["3.1", "3.10"])
def test_a_version_without_quotes_is_the_version_that_was_meant(written):
    text = with_values().replace('"RuntimeVersion": "3.13"', f'"RuntimeVersion": {written}')

    assert problems_of(text) == [
        f"{FILE}: RuntimeVersion is the number {written}; CloudFormation takes strings only, "
        'and as numbers 3.10 and 3.1 are the same: write "3.10".'
    ]


def test_a_parameter_without_a_default_must_be_given_and_another_need_not():
    values = {name: value for name, value in VALUES.items() if name not in {"AppName", "EcrTag"}}

    assert problems_of(json.dumps({"Parameters": values})) == [
        f"{FILE}: AppName is missing; aws/cfn-template.yml has no default for it."
    ]


def test_a_parameter_of_the_wrong_kind_is_not_missing_too():
    assert len(problems_of(with_values(AppName=5))) == 1


def test_a_retired_runtime_is_a_warning():
    content, _ = parse_environment_file(with_values(RuntimeVersion="3.10"), FILE)

    problems = check_environment_file(content, FILE, DECLARED)

    assert [(problem.message, problem.is_warning) for problem in problems] == [
        ("RuntimeVersion 3.10 is past its end of life (October 2026).", True)
    ]


@pytest.mark.parametrize(
    ("version", "is_told"), [("14.9", True), ("9.6", True), ("15", False), ("16.3", False)]
)
def test_a_database_that_takes_plain_text_is_a_warning(version, is_told):
    values = {"RDSInstanceClass": "db.t4g.micro", "RDSEngineVersion": version}
    content, _ = parse_environment_file(with_values(**values), FILE)
    without, _ = parse_environment_file(with_values(**values | {"RDSInstanceClass": "none"}), FILE)

    problems = check_environment_file(content, FILE, DECLARED)

    message = f"RDSEngineVersion {version}: before PostgreSQL 15 RDS lets in connections without TLS."
    assert [(problem.message, problem.is_warning) for problem in problems] == [(message, True)] * is_told
    assert check_environment_file(without, FILE, DECLARED) == []


@pytest.mark.parametrize(
    "values",
    [
        {"TaskCpu": "512", "TaskMemory": "4096"},
        {"TaskCpu": "4096", "TaskMemory": "30720"},
        {"TaskCpu": "16384", "TaskMemory": "122880"},
        {"UniqueDomainName": "my-app.example.com"},
        {
            "UniqueDomainName": "my-app.example.com",
            "UniqueDomainNameCertificateArn": "arn:aws:acm:eu-west-1:012345678901:certificate/a-b",
        },
        {"RDSInstanceClass": "db.t4g.micro", "RDSEngineVersion": "17"},
        {"InstancesCount": "0"},
    ],
)
def test_what_aws_takes_is_taken(values):
    assert problems_of(with_values(**values)) == []
