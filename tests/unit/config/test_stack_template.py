"""The app's template is read with CloudFormation's tags, and its constraints hold."""

from __future__ import annotations

import pytest

from the_sink.checks.parameters import check_value
from the_sink.config.stack_template import Parameter, parse_template, read_parameters

TEMPLATE = """
Parameters:
  AppName: {Type: String}
  Size: {Type: Number, Default: 3, MinValue: 1, MaxValue: 5}
  Flag: {Type: String, Default: "true", AllowedValues: [true, "false"]}
  Word: {Type: String, Default: "", AllowedPattern: "[a-z]*", ConstraintDescription: lowercase letters}
  Short: {Type: String, Default: ab, MinLength: 2, MaxLength: 3}
Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub ["https://${B}/x.yml", {B: !ImportValue a}]
      Parameters: {AppName: !Ref AppName, Other: !GetAtt A.B}
"""


def test_tags_become_their_long_forms():
    template, problems = parse_template(TEMPLATE)

    properties = template["Resources"]["Nested"]["Properties"]
    assert problems == []
    assert properties["Parameters"] == {"AppName": {"Ref": "AppName"}, "Other": {"Fn::GetAtt": "A.B"}}
    assert properties["TemplateURL"] == {"Fn::Sub": ["https://${B}/x.yml", {"B": {"Fn::ImportValue": "a"}}]}


def test_a_parameter_without_a_default_is_required():
    parameters, problems = read_parameters(parse_template(TEMPLATE)[0])

    assert problems == []
    assert {name for name, parameter in parameters.items() if parameter.is_required} == {"AppName"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("Size", "3", ""),
        ("Size", "0", 'is "0"; its template\'s smallest value is 1.'),
        ("Size", "6", 'is "6"; its template\'s largest value is 5.'),
        ("Size", "x", 'is "x"; its template expects a number.'),
        ("Flag", "true", ""),
        ("Flag", "yes", 'is "yes"; its template allows true, false.'),
        ("Word", "abc", ""),
        ("Word", "A", 'is "A"; its template expects: lowercase letters.'),
        ("Short", "a", 'is "a"; its template expects at least 2 characters.'),
        ("Short", "abcd", "has 4 characters; its template allows 3."),
    ],
)
def test_the_templates_own_constraints_hold(name, value, reason):
    parameters, _ = read_parameters(parse_template(TEMPLATE)[0])

    assert check_value(name, value, parameters[name]) == reason


def test_a_pattern_that_only_java_reads_is_left_to_cloudformation():
    declared = Parameter("X", "String", default="", allowed_pattern=r"\p{Alpha}+")

    assert check_value("X", "5", declared) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "it is not YAML: expected the node content, but found '<stream end>' in line 1, column 5."),
        ("", "it is empty, or no mapping; expected: Parameters, Resources and Outputs."),
        ("- a", "it is empty, or no mapping; expected: Parameters, Resources and Outputs."),
    ],
)
def test_a_file_that_is_no_template_is_refused(text, message):
    assert [problem.message for problem in parse_template(text)[1]] == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Parameters: []", "Parameters must be a mapping of names."),
        ("Parameters: {A: String}", "the parameter A must be a mapping with a Type."),
        (
            "Parameters: {RuntimeVersion: {Type: String, Default: 3.10}}",
            "RuntimeVersion has versions without quotes: YAML reads 3.10 as the number 3.1.",
        ),
        (
            "Parameters: {RuntimeVersion: {Type: String, AllowedValues: ['3.9', 3.10]}}",
            "RuntimeVersion has versions without quotes: YAML reads 3.10 as the number 3.1.",
        ),
    ],
)
def test_malformed_parameters_are_named(text, message):
    template, _ = parse_template(text)

    assert [problem.message for problem in read_parameters(template)[1]] == [message]
