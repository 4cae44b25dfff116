"""Pipeline definitions: from CloudFormation's spelling to the API's, and what AWS refuses in them (pure).

The rules are those of https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
and of the action references beside it. Action types that the sandbox cannot play are refused here, by
name, and not when an execution reaches them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sink_sandbox.services.codepipeline.errors import ServiceError
from sink_sandbox.services.codepipeline.variables import check_variables

Declaration = dict[str, Any]
"""A pipeline as the API's ``PipelineDeclaration``."""


@dataclass(frozen=True)
class ActionType:
    """Which configuration keys an action type takes, and how many artifacts."""

    required: frozenset[str]
    optional: frozenset[str]
    inputs: tuple[int, int]
    outputs: tuple[int, int]


def _type(required: str, optional: str, inputs: tuple[int, int], outputs: tuple[int, int]) -> ActionType:
    return ActionType(frozenset(required.split()), frozenset(optional.split()), inputs, outputs)


ACTION_TYPES = {
    ("Source", "AWS", "S3"): _type(
        "S3Bucket S3ObjectKey", "PollForSourceChanges AllowOverrideForS3ObjectKey", (0, 0), (1, 1)
    ),
    ("Build", "AWS", "CodeBuild"): _type(
        "ProjectName", "PrimarySource EnvironmentVariables BatchEnabled CombineArtifacts", (1, 5), (0, 5)
    ),
    ("Test", "AWS", "CodeBuild"): _type(
        "ProjectName", "PrimarySource EnvironmentVariables BatchEnabled CombineArtifacts", (1, 5), (0, 5)
    ),
    ("Deploy", "AWS", "CloudFormation"): _type(
        "ActionMode RoleArn StackName TemplatePath",  # of CREATE_UPDATE, the one mode that is played
        "Capabilities ChangeSetName OutputFileName ParameterOverrides TemplateConfiguration",
        (0, 10),
        (0, 1),
    ),
    ("Deploy", "AWS", "ECS"): _type("ClusterName ServiceName", "FileName DeploymentTimeout", (1, 1), (0, 0)),
    ("Approval", "AWS", "Manual"): _type(
        "", "CustomData ExternalEntityLink NotificationArn ApproverInstruction", (0, 0), (0, 0)
    ),
    ("Compute", "AWS", "Commands"): _type("", "", (1, 10), (0, 1)),
}
"""What the sandbox can play, by category, owner and provider."""

_VERBATIM = frozenset({"Configuration"})
"""Properties whose content is the user's own keys."""

_RENAMED = {"OutputVariables": "outputVariables", "S3ObjectKey": "s3ObjectKey"}


def from_cloudformation(properties: dict[str, Any], name: str) -> tuple[Declaration, dict[str, str]]:
    """Return the declaration that ``AWS::CodePipeline::Pipeline`` properties mean, and what they close.

    Args:
        properties: The resource's properties with their intrinsic functions resolved.
        name: The pipeline's name where the properties have none.

    Returns:
        The declaration, and the reason why each stage's inbound transition is disabled, by stage name.
    """
    wanted = {key: value for key, value in properties.items() if key not in _NOT_DECLARED}
    declaration = _camel(wanted)
    declaration["name"] = properties.get("Name") or name
    declaration.setdefault("pipelineType", "V1")  # the property's default in CloudFormation
    declaration["version"] = 1
    for _, action in actions(declaration):
        action["configuration"] = {
            key: value if isinstance(value, str) else _scalar(value)
            for key, value in (action.get("configuration") or {}).items()
        }
    closed = {
        entry["StageName"]: entry.get("Reason", "")
        for entry in properties.get("DisableInboundStageTransitions") or []
    }
    return declaration, closed


_NOT_DECLARED = frozenset({"Tags", "DisableInboundStageTransitions", "RestartExecutionOnUpdate"})


def complete(declaration: Declaration) -> Declaration:
    """Return the declaration with the defaults that AWS fills in."""
    full = copy.deepcopy(declaration)
    full.setdefault("pipelineType", "V1")
    full.setdefault("executionMode", "SUPERSEDED")
    for _, action in actions(full):
        action.setdefault("runOrder", 1)
        action.setdefault("configuration", {})
        action.setdefault("inputArtifacts", [])
        action.setdefault("outputArtifacts", [])
    return full


def actions(declaration: Declaration) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each stage with each of its actions, in order."""
    for stage in declaration.get("stages") or []:
        for action in stage.get("actions") or []:
            yield stage, action


def check(declaration: Declaration) -> None:
    """Refuse what AWS refuses, and what the sandbox cannot play.

    Raises:
        ServiceError: with AWS's exception name.
    """
    stages = declaration.get("stages") or []
    if len(stages) < 2:
        raise _structure("Pipeline should have at least two stages.")
    names = [stage["name"] for stage in stages]
    if len(set(names)) != len(names):
        raise _structure("Stage names must be unique within a pipeline.")
    if "artifactStore" not in declaration and "artifactStores" not in declaration:
        raise _structure("The pipeline has no artifact store.")
    if declaration.get("executionMode") == "PARALLEL":
        raise _structure("The sandbox does not play the execution mode PARALLEL.")
    if declaration.get("executionMode") == "QUEUED" and declaration.get("pipelineType") != "V2":
        raise _structure("The execution mode QUEUED needs the pipeline type V2.")
    for stage, action in actions(declaration):
        if action["actionTypeId"]["provider"] == "Commands" and declaration.get("pipelineType") != "V2":
            raise _action(action, f"Commands needs the pipeline type V2 (stage {stage['name']})")
    produced: set[str] = set()
    for index, stage in enumerate(stages):
        for entry in ("beforeEntry", "onSuccess", "onFailure", "blockers"):
            if stage.get(entry):
                raise _structure(f"The sandbox does not play {entry} of the stage {stage['name']}.")
        _check_stage(stage, is_first=index == 0, produced=produced)
    check_variables(declaration, produced)


def _check_stage(stage: dict[str, Any], *, is_first: bool, produced: set[str]) -> None:
    found = stage.get("actions") or []
    if not found:
        raise ServiceError("InvalidStageDeclarationException", f"Stage {stage['name']} has no actions.")
    names = [action["name"] for action in found]
    if len(set(names)) != len(names):
        raise ServiceError(
            "InvalidStageDeclarationException",
            f"Action names must be unique within the stage {stage['name']}.",
        )
    for order in sorted({action["runOrder"] for action in found}):
        together = [action for action in found if action["runOrder"] == order]
        for action in together:
            is_source = action["actionTypeId"]["category"] == "Source"
            if is_source != is_first:
                raise _structure(
                    f"Pipeline should start with a stage that only contains source actions, and only that "
                    f"one: action {action['name']} in stage {stage['name']}."
                )
            _check_action(action)
            _check_inputs(action, produced)
        for action in together:
            _produce(action, produced)


def _check_inputs(action: dict[str, Any], produced: set[str]) -> None:
    """Actions of one run order run at once, so none has what another of them puts out."""
    inputs = [artifact["name"] for artifact in action["inputArtifacts"]]
    for name in inputs:
        if name not in produced:
            raise _action(action, f"input artifact {name} is not an output of an action before it")
    if action["actionTypeId"]["provider"] != "CodeBuild":
        return
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
    primary = action["configuration"].get("PrimarySource")
    if primary is None and len(inputs) > 1:
        raise _action(action, "PrimarySource is required, because it has several input artifacts")
    if primary is not None and primary not in inputs:
        raise _action(action, f"PrimarySource {primary} is not one of its input artifacts")


def _produce(action: dict[str, Any], produced: set[str]) -> None:
    for artifact in action["outputArtifacts"]:
        if artifact["name"] in produced:
            raise _action(action, f"output artifact {artifact['name']} is already produced by another action")
        produced.add(artifact["name"])


def _check_action(action: dict[str, Any]) -> None:
    kind = action["actionTypeId"]
    found = ACTION_TYPES.get((kind["category"], kind["owner"], kind["provider"]))
    if found is None:
        raise _action(
            action,
            f"the action type (Category: {kind['category']}, Owner: {kind['owner']}, Provider: "
            f"{kind['provider']}, Version: {kind.get('version')}) is not played by the sandbox",
        )
    if not 1 <= action["runOrder"] <= 999:
        raise _action(action, "runOrder must be 1 to 999")
    mode = action["configuration"].get("ActionMode", "CREATE_UPDATE")
    if kind["provider"] == "CloudFormation" and mode != "CREATE_UPDATE":
        raise _action(action, f"the sandbox plays the ActionMode CREATE_UPDATE, not {mode}")
    keys = set(action["configuration"])
    missing = found.required - keys
    if missing:
        raise _action(action, f"configuration is missing required key {', '.join(sorted(missing))}")
    unknown = keys - found.required - found.optional
    if unknown:
        raise _action(action, f"configuration contains unknown key {', '.join(sorted(unknown))}")
    if kind["provider"] == "Commands":
        _check_commands(action)
    for label, artifacts, (least, most) in (
        ("input", action["inputArtifacts"], found.inputs),
        ("output", action["outputArtifacts"], found.outputs),
    ):
        if not least <= len(artifacts) <= most:
            raise _action(action, f"it takes {least} to {most} {label} artifacts and has {len(artifacts)}")


def _check_commands(action: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html
    if not action.get("commands"):
        raise _action(action, "it has no commands")
    if any("\n" in command.strip() for command in action["commands"]):
        raise _action(action, "a command has several lines, and Commands takes single ones")


def _structure(message: str) -> ServiceError:
    return ServiceError("InvalidStructureException", message)


def _action(action: dict[str, Any], problem: str) -> ServiceError:
    return ServiceError("InvalidActionDeclarationException", f"Action {action['name']}: {problem}.")


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _RENAMED.get(key, key[:1].lower() + key[1:]): copy.deepcopy(item)
        if key in _VERBATIM
        else _camel(item)
        for key, item in value.items()
    }


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        raise _structure("Values of an action's Configuration must be strings.")
    return str(value)
