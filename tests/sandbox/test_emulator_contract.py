"""Each internal of ministack that the sandbox touches, so that a new version fails here and says where.

The behaviour that is built on them has tests of its own; these say which name or signature is gone.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import the_sink.sandbox.emulator as emulator

PACKAGE = Path(emulator.__file__).parent
SANDBOX = PACKAGE.parent

FUNCTIONS = {
    "ministack.app": {
        "_build_persistence_save_dict": [],
        "_get_module": ["name"],
        "_read_request_body": ["receive", "method", "headers"],
        "_reset_all_state": [],
        "_send_if_handled": ["send", "response", "receive", "head"],
        "_send_response": ["send", "status", "headers", "body", "head"],
        "_version": [],
        "app": ["scope", "receive", "send"],
        "pin_request_origin": ["source_ip", "secure_transport"],
        "save_all": ["services"],
    },
    "ministack.core.arn": {"parse_arn": None},
    "ministack.core.concurrency": {"spawn_background": None},
    "ministack.core.iam_actions": {
        "access_denied_response": None,
        "extract_resource_arn": [
            "service",
            "method",
            "path",
            "headers",
            "body",
            "query_params",
            "region",
            "account_id",
        ],
        "identity_denial_message": ["action", "principal_arn", "resource", "explicit_deny"],
    },
    "ministack.core.iam_evaluator": {
        "AuthError": None,
        "EvalContext": None,
        "ParsedStatement": None,
        "_action_matches": ["request_action", "actions", "not_actions"],
        "_permissions_boundary": ["store", "name", "account_id"],
        "_resolve_condition_key": ["key", "ctx"],
        "_resolve_managed_policy_document": ["policy_arn", "account_id"],
        "_role_name_from_assumed_arn": ["assumed_arn"],
        "caller_arn": [],
        "enforce": [
            "access_key_id",
            "iam_action",
            "service",
            "region",
            "resource_arn",
            "service_context",
        ],
        "evaluate": None,
        "evaluate_resource_policy": None,
        "parse_policy_document": ["doc"],
        "pin_request_origin": ["source_ip", "secure_transport"],
    },
    "ministack.core.persistence": {
        "_json_default": ["obj"],
        "_json_object_hook": ["obj"],
        "_state_format_version": ["service"],
    },
    "ministack.core.responses": {
        "error_response_json": None,
        "get_account_id": [],
        "get_region": [],
        "json_response": None,
        "new_uuid": [],
        "now_iso": [],
        "request_scope": ["account_id", "region"],
    },
    "ministack.services.alb": {
        "_describe_target_health": ["params"],
        "_error": None,
        "_lb_xml": ["lb"],
        "_p": ["params", "key", "default"],
        "_parse_targets_param": None,
        "_proxy_http_target": [
            "target",
            "tg",
            "method",
            "path",
            "headers",
            "body",
            "query_params",
            "raw_query_string",
        ],
        "_target_headers": ["lb_arn", "listener", "headers", "client_ip"],
        "_target_host_header": ["host", "listener_port"],
        "_xml": ["status", "action", "inner"],
        "dispatch_request": [
            "lb",
            "method",
            "path",
            "headers",
            "body",
            "query_params",
            "port",
            "client_ip",
            "raw_query_string",
            "raw_path",
        ],
    },
    "ministack.services.codebuild": {
        "_build_id": ["project_name"],
        "_create_project": ["data"],
        "_make_build_record": ["project", "build_id", "source_version"],
        "_project_shape": ["project"],
        "_start_build": ["data"],
        "_stop_build": ["data"],
        "_update_project": ["data"],
    },
    "ministack.services.ec2": {
        "_allocate_address": ["p"],
        "_authorize_sg_egress": ["p"],
        "_authorize_sg_ingress": ["p"],
        "_create_nat_gateway": ["params"],
        "_release_address": ["p"],
        "_revoke_sg_egress": ["p"],
        "_revoke_sg_ingress": ["p"],
    },
    "ministack.services.ecr": {
        "_get_authorization_token": ["data"],
        "_get_download_url_for_layer": ["data"],
        "_parse_v2_path": ["path"],
        "_registry_error": None,
        "_repo_arn": ["name"],
        "_select_registry_request_scope": ["name", "headers", "query_params"],
        "get_state": [],
        "handle_registry_request": ["method", "path", "headers", "body", "query_params"],
        "reset": [],
    },
    "ministack.services.ecs": {
        "_build_run_kwargs": None,
        "_circuit_breaker_threshold": ["svc"],
        "_cleanup_task_resources": ["task", "docker_client", "extra_container"],
        "_complete_service_deployment": ["cluster_name", "svc_key", "expected_deployment_id"],
        "_create_service": ["data"],
        "_delete_service": ["data"],
        "_fail_task_start": ["task", "docker_client", "reason"],
        "_docker_binds_from_taskdef": ["td", "cdef"],
        "_make_deployment": ["task_definition", "desired_count", "status"],
        "_mark_task_stopped": ["task_arn", "task", "reason", "stop_code", "exit_code"],
        "_reconcile_service_tasks": ["cluster_name", "svc_key"],
        "_record_service_task_failure": ["task", "digest_resolution_failed"],
        "_record_service_task_healthy": ["svc_key", "task"],
        "_refresh_service_state": ["cluster_name", "group"],
        "_sanitize": ["obj"],
        "_register_metadata": [
            "task_arn",
            "cluster_arn",
            "td",
            "cdef",
            "launch_type",
            "env",
            "host_mode",
            "ministack_net_ip",
        ],
        "_register_task_definition": ["data"],
        "_remove_docker_container": ["docker_client", "container_or_id"],
        "_resolve_cluster_name": None,
        "_resolve_task": ["ref", "cluster_name"],
        "_restore_state": ["data"],
        "_resolve_td_key": None,
        "_schedule_service_deployment_completion": [
            "cluster_name",
            "svc_key",
            "account_id",
            "region",
            "healthy_task",
        ],
        "_start_task_worker": ["task", "td", "container_overrides", "docker_client"],
        "_task_ip": ["task"],
        "_task_is_active": ["task_arn", "task"],
        "_ts_to_epoch": ["value"],
        "_update_service": ["data"],
    },
    "ministack.services.eventbridge": {
        "_apply_input_transformer": ["transformer", "rule", "view"],
        "_dispatch_event": ["event", "view"],
        "_invoke_target": ["target", "event", "rule", "view"],
        "_pattern_event_view": ["event"],
    },
    "ministack.services.rds": {
        "_error": ["code", "message", "status"],
        "_finish_instance_reboot": ["instance", "cluster"],
        "_get_docker": [],
        "_p": ["params", "key", "default"],
        "_resolve_instance": ["db_id"],
        "_rotate_instance_password": ["instance", "old_pass", "new_pass"],
        "_single_instance_response": ["root_tag", "result_tag", "instance"],
    },
    "ministack.services.secretsmanager": {"_resolve": None},
    "ministack.services.sts": {"register_session": ["access_key", "session"]},
    "ministack.services.s3": {
        "_fire_s3_event": [
            "bucket_name",
            "key",
            "event_name",
            "size",
            "etag",
            "deletion_type",
            "restore_event_data",
            "version_id",
            "sequencer",
            "object_extra",
            "record_extra",
        ],
    },
    "ministack.services.cloudformation.changesets": {
        "_evaluate_conditions": ["template", "params"],
        "_diff_resources": None,
        "_resolve_parameters": ["template", "provided_params", "previous_params"],
        "_resolve_props_for_diff": ["template", "params", "stack_name", "stack_id"],
    },
    "ministack.services.cloudformation.engine": {
        "_constraint_error": ["name", "defn", "reason"],
        "_evaluate_conditions": ["template", "params"],
        "_parse_template": ["template_body"],
        "_resolve_dynamic_references": ["value", "previous", "reuse_ssm", "reuse_secrets"],
        "_resolve_parameters": ["template", "provided_params", "previous_params"],
        "_resolve_refs": [
            "value",
            "resources",
            "params",
            "conditions",
            "mappings",
            "stack_name",
            "stack_id",
        ],
        "_validate_template_statics": ["template"],
    },
    "ministack.services.cloudformation.handlers": {
        "_evaluate_conditions": ["template", "params"],
        "_capabilities_enforced": [],
        "_imported_export_names": ["stack", "stack_name"],
        "_resolve_parameters": ["template", "provided_params", "previous_params"],
        "_resolve_stack": ["stack_name"],
        "_stack_has_no_updates": [
            "stack",
            "template",
            "param_values",
            "tags",
            "use_previous_template",
            "tags_given",
        ],
    },
    "ministack.services.cloudformation.helpers": {
        "_error": ["code", "message", "status"],
        "_p": ["params", "key", "default"],
        "_resolve_document": ["params", "body_key", "url_key", "label"],
        "_resolve_template": ["params"],
    },
    "ministack.services.cloudformation.provisioners": {
        "_codebuild_cfn_to_api": ["value"],
        "_delete_resource": ["resource_type", "physical_id", "props", "stack_name", "logical_id"],
        "_nested_stack_lookup_name": ["physical_id_or_arn"],
        "_physical_name": None,
        "_provision_resource": ["resource_type", "logical_id", "props", "stack_name"],
        "_rds_db_instance_attrs": ["instance"],
        "_rds_db_instance_create": ["logical_id", "props", "stack_name"],
        "_rds_db_instance_delete": ["physical_id", "props"],
        "_rds_db_instance_update": ["physical_id", "old_props", "new_props", "stack_name", "logical_id"],
        "_update_resource": [
            "resource_type",
            "physical_id",
            "old_props",
            "new_props",
            "stack_name",
            "logical_id",
            "old_attrs",
        ],
    },
    "ministack.services.cloudformation.stacks": {
        "_evaluate_conditions": ["template", "params"],
        "_add_event": [
            "stack_id",
            "stack_name",
            "logical_id",
            "resource_type",
            "status",
            "reason",
            "physical_id",
            "detailed_status",
        ],
        "_delete_resource": ["resource_type", "physical_id", "props", "stack_name", "logical_id"],
        "_provision_resource": ["resource_type", "logical_id", "props", "stack_name"],
        "_resolve_stack_outputs": [
            "outputs_defs",
            "conditions",
            "resources",
            "param_values",
            "mappings",
            "stack_name",
            "stack_id",
        ],
        "_revert_update": None,
        "_roll_back_operation": ["stack_name", "stack_id", "stack", "operation", "reason_override"],
        "_runs_on_worker_thread": ["resource_type"],
        "_sends_back_failed_update": ["resource_type"],
        "_update_resource": [
            "resource_type",
            "physical_id",
            "old_props",
            "new_props",
            "stack_name",
            "logical_id",
            "old_attrs",
        ],
    },
}
"""The parameters that the sandbox relies on; None where it passes on whatever it is given."""

DATA = {
    "ministack.app": {"SERVICE_HANDLERS": dict},
    "ministack.core.iam_actions": {"SERVICE_TO_IAM_NAMESPACE": dict},
    "ministack.core.router": {"SERVICE_PATTERNS": dict},
    "ministack.core.persistence": {"STATE_DIR": str},
    "ministack.services.ecs": {"_ACTION_MAP": dict, "_ECS_RESTORE_RECONCILE_DELAY": float, "_docker": object},
    "ministack.services.alb": {"_ACTION_MAP": dict},
    "ministack.services.rds": {"_ACTION_MAP": dict},
    "ministack.services.cloudformation": {"_ACTION_HANDLERS": dict},
    "ministack.services.cloudformation.provisioners": {"_RESOURCE_HANDLERS": dict},
}

STORES = {
    "ministack.services.alb": ["_lbs", "_listeners", "_targets", "_tg_attrs", "_tgs"],
    "ministack.services.cloudformation": ["_change_sets", "_exports", "_stacks"],
    "ministack.services.cloudwatch_logs": ["_log_groups"],
    "ministack.services.codebuild": ["_builds", "_projects"],
    "ministack.services.ec2": ["_addresses", "_nat_gateways"],
    "ministack.services.ecs": ["_services", "_tags", "_task_defs", "_tasks"],
    "ministack.services.iam": ["_oidc_providers", "_roles"],
    "ministack.services.rds": ["_instances"],
    "ministack.services.ecr": ["_layer_blobs"],
    "ministack.services.secretsmanager": ["_secrets"],
    "ministack.services.sts": ["_sessions"],
}

HANDLERS = {
    "AWS::CloudFormation::Stack": {"create", "update", "delete"},
    "AWS::CodeBuild::Project": {"create", "update"},
    "AWS::ECS::Service": {"create", "update", "delete"},
    "AWS::ECS::TaskDefinition": {"create", "update", "update_with_logical_id"},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"create", "update"},
    "AWS::IAM::Policy": {"create", "delete"},
    "AWS::Logs::LogGroup": {"create", "update"},
    "AWS::RDS::DBInstance": {"create", "update", "delete"},
    "AWS::SecretsManager::Secret": {"create", "update", "update_with_logical_id", "delete"},
    "AWS::SecretsManager::SecretTargetAttachment": {"update"},
}
"""Handlers of resource types that the sandbox wraps or replaces."""

TYPES_OF_OURS = [
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CodePipeline::Pipeline",
    "AWS::EC2::EIP",
    "AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::UserPolicy",
]


def find(module: str, name: str) -> Any:
    found = getattr(importlib.import_module(module), name, None)
    assert found is not None or name == "_docker", f"{module}.{name} is gone; see {PACKAGE.name}/"
    return found


def test_the_version_is_the_one_these_internals_were_read_in() -> None:
    assert version("ministack") == "1.5.33"


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [(module, name, wanted) for module, names in FUNCTIONS.items() for name, wanted in names.items()],
)
def test_a_function_that_is_called_or_replaced_has_its_parameters(
    module: str, name: str, parameters: list[str] | None
) -> None:
    function = find(module, name)

    assert callable(function)
    if parameters is not None:
        assert list(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("module", "name", "kind"), [(m, name, kind) for m, names in DATA.items() for name, kind in names.items()]
)
def test_data_that_is_read_or_changed_is_there(module: str, name: str, kind: type) -> None:
    assert isinstance(find(module, name), kind)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in STORES.items() for name in names]
)
def test_a_store_behaves_like_a_dictionary(module: str, name: str) -> None:
    store = find(module, name)

    for method in ("get", "pop", "items", "values", "__getitem__", "__setitem__", "__contains__"):
        assert hasattr(store, method)


def test_regional_stores_can_be_read_across_regions() -> None:
    for module, name in (
        ("ministack.services.alb", "_lbs"),
        ("ministack.services.alb", "_listeners"),
        ("ministack.services.cloudformation", "_stacks"),
        ("ministack.services.cloudformation", "_change_sets"),
        ("ministack.services.ecs", "_services"),
        ("ministack.services.ecs", "_task_defs"),
        ("ministack.services.ecs", "_tasks"),
        ("ministack.services.rds", "_instances"),
    ):
        assert callable(find(module, name).all_items)


@pytest.mark.parametrize(("kind", "entries"), HANDLERS.items())
def test_a_resource_type_has_the_handlers_that_are_wrapped(kind: str, entries: set[str]) -> None:
    handlers = find("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")

    assert entries <= set(handlers[kind])


@pytest.mark.parametrize("kind", TYPES_OF_OURS)
def test_a_type_of_ours_is_still_missing_there(kind: str) -> None:
    """Once the emulator has it, ours should be looked at again."""
    assert kind not in find("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")


def test_the_service_of_ours_is_still_missing_there() -> None:
    assert "codepipeline" not in find("ministack.app", "SERVICE_HANDLERS")


def test_nothing_but_this_package_touches_the_emulator() -> None:
    touching = {
        path.relative_to(SANDBOX).as_posix()
        for path in SANDBOX.rglob("*.py")
        if any(name.split(".")[0] == "ministack" for name in imports(path))
    }

    assert {path.split("/")[0] for path in touching} == {"emulator"}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def test_every_internal_that_is_touched_is_named_here() -> None:
    """Reads the package's own source: ``module._name`` of a ministack module must be in a table above."""
    known = {name for table in (FUNCTIONS, DATA) for names in table.values() for name in names}
    known |= {name for names in STORES.values() for name in names}
    touched: dict[str, str] = {}
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text())
        modules = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack")
            for alias in node.names
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in modules
                and node.attr.startswith("_")
            ):
                touched.setdefault(node.attr, path.name)

    exceptions = {"_IncompleteRequestBody", "_RequestBodyDisconnected"}
    assert {name: where for name, where in touched.items() if name not in known | exceptions} == {}
    for name in exceptions:
        assert issubclass(find("ministack.app", name), Exception)


def test_requests_are_authorized_by_what_is_replaced() -> None:
    """``emulator/authorization.py`` replaces functions that the router imports with each request."""
    from ministack import app

    source = inspect.getsource(app)
    for words in (
        "from ministack.core.iam_evaluator import AuthError, enforce, pin_request_caller",
        "resource_arn = extract_resource_arn(",
        "return access_denied_response(",
        'AUTH = os.environ.get("AUTH", "false").lower() == "true"',
    ):
        assert words in source
    assert "codepipeline" not in find("ministack.core.iam_actions", "SERVICE_TO_IAM_NAMESPACE")


def test_layers_are_kept_where_the_registry_puts_and_finds_them() -> None:
    """``emulator/registry.py`` takes the place of one dictionary, by these words of the registry's code."""
    from ministack.services import ecr

    source = inspect.getsource(ecr)
    for words in (
        "_layer_blobs.setdefault(name, {})[digest] = ",
        "_layer_blobs.get(name, {}).get(digest)",
        '"layer_blobs": copy.deepcopy(_layer_blobs)',
        '(_layer_blobs, "layer_blobs")',
    ):
        assert words in source
