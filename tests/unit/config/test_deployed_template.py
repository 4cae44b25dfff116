"""A template as its parameters leave it, each line with the one that it came from."""

from __future__ import annotations

from sink_host.templates.deployed import deployed_template
from the_sink.config.stack_template import parse_template

TEMPLATE = """\
Parameters:
  Topic: { Type: String, Default: "" }
  Zones: { Type: CommaDelimitedList, Default: "" }
  Password: { Type: String, NoEcho: true, Default: none }
Conditions:
  HasTopic: !Not [!Equals [!Ref Topic, ""]]
  HasZones: !Not [!Equals [!Join ["", !Ref Zones], ""]]
  IsHere: !Equals [!Ref AWS::Region, eu-west-1]
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    DependsOn: [Log, Queue]
    Properties:
      # A comment.
      AlarmActions: !If [HasTopic, [!Ref Topic], !Ref AWS::NoValue]
      Period: 60
  Log:
    Type: AWS::Logs::LogGroup
    Condition: HasTopic
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: { "Fn::If": [IsHere, here, !Ref AWS::NoValue] } }
Outputs:
  Zones: { Condition: HasZones, Value: !Select [0, !Ref Zones] }
"""


def test_what_the_parameters_rule_out_is_not_there() -> None:
    made, _ = parse_template(deployed_template(TEMPLATE, {}).text)

    assert made["Resources"].keys() == {"Alarm", "Queue"}
    assert made["Resources"]["Alarm"] == {
        "Type": "AWS::CloudWatch::Alarm",
        "DependsOn": ["Queue"],
        "Properties": {"Period": 60},
    }
    assert made["Outputs"] == {}


def test_what_they_bring_about_is_there_without_its_condition() -> None:
    deployed = deployed_template(TEMPLATE, {"Topic": "arn:aws:sns:::t", "Zones": "a,b"})
    made, _ = parse_template(deployed.text)

    assert made["Resources"]["Alarm"]["Properties"]["AlarmActions"] == [{"Ref": "Topic"}]
    assert made["Resources"]["Log"] == {"Type": "AWS::Logs::LogGroup"}
    assert made["Outputs"]["Zones"] == {"Value": {"Fn::Select": [0, {"Ref": "Zones"}]}}
    assert deployed.parameters == {"Topic": "arn:aws:sns:::t", "Zones": "a,b"}


def test_what_cannot_be_told_stays_with_both_branches() -> None:
    made, _ = parse_template(deployed_template(TEMPLATE, {"Topic": None}).text)

    assert made["Resources"]["Queue"]["Properties"]["QueueName"] == {
        "Fn::If": ["IsHere", "here", {"Ref": "AWS::NoValue"}]
    }
    assert made["Resources"]["Log"]["Condition"] == "HasTopic"
    assert made["Conditions"].keys() == {"HasTopic", "HasZones", "IsHere"}
    assert "Default" not in made["Parameters"]["Topic"]


def test_every_line_knows_where_it_came_from() -> None:
    deployed = deployed_template(TEMPLATE, {})
    lines, original = deployed.text.splitlines(), TEMPLATE.splitlines()

    for number, line in enumerate(lines, 1):
        came_from = original[deployed.original_line(number) - 1]
        assert line.strip().split(":")[0].strip("-\"' ") in came_from
    assert deployed.original_line(lines.index("      Period: 60") + 1) == 16
    assert deployed.original_line(None) == 0


def test_secret_values_and_defaults_are_no_part_of_it() -> None:
    deployed = deployed_template(TEMPLATE, {"Password": "hunter2", "Zones": "", "Unknown": "x"})

    assert deployed.parameters == {}
    assert "hunter2" not in deployed.text


def test_what_is_no_template_is_left_as_it_is() -> None:
    for text in (
        "Resources:\n  A: [\n",
        "- a list\n",
        "",
        "&a [*a]\n",
        "Resources: &a\n  A:\n    Properties: *a\n",
    ):
        assert deployed_template(text, {"Topic": "x"}).text == text


def test_json_with_tabs_is_read() -> None:
    made, _ = parse_template(
        deployed_template('{\n\t"Resources": {"A": {"Type": "AWS::SQS::Queue"}}\n}', {}).text
    )

    assert made == {"Resources": {"A": {"Type": "AWS::SQS::Queue"}}}
