"""What the emulator would run of the code that it is given: nothing. It is refused by name instead.

ministack starts functions, jobs and resolvers as processes of whoever runs it. The platform's apps have none
of them, so here they are not there; tasks and builds are run by the sandbox itself.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ministack import app as ministack_app
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

_SERVICES = {
    "lambda": "functions",
    "lambda-core": "functions",
    "lambda-microvms": "functions",
    "glue": "jobs",
    "appsync": "resolvers",
    "eks": "clusters",
    "imds": "instances",
}
"""Services by the emulator's name, and what they run."""

_FUNCTION = "AWS::Lambda::Function"


def install() -> None:
    """Refuse the services, and what CloudFormation would make of them or call them for."""
    for service, what in _SERVICES.items():
        ministack_app.SERVICE_HANDLERS[service] = _refusing(f"The sandbox runs no {what}.")
    provisioners._RESOURCE_HANDLERS[_FUNCTION]["create"] = _refuse_function
    provisioners._custom_resource_create = _refuse_custom_resource
    provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::CustomResource"]["create"] = _refuse_custom_resource
    lambda_svc._execute_function = _refuse_execution


def _refusing(sentence: str) -> Any:
    async def refuse(*_request: Any) -> tuple[int, dict[str, str], bytes]:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": "AccessDeniedException"}
        return 403, headers, json.dumps({"__type": "AccessDeniedException", "message": sentence}).encode()

    return refuse


def _refuse_function(logical_id: str, _props: dict[str, Any], _stack_name: str) -> NoReturn:
    raise ValueError(f"The sandbox runs no functions, so {logical_id} ({_FUNCTION}) cannot be created.")


def _refuse_custom_resource(logical_id: str, *_more: Any) -> NoReturn:
    raise ValueError(
        f"The sandbox runs no functions, so nothing answers for the custom resource {logical_id}."
    )


def _refuse_execution(function: dict[str, Any], _event: dict[str, Any]) -> dict[str, Any]:
    """A function that an earlier version of the sandbox kept is still there, and is not called."""
    name = (function.get("config") or function).get("FunctionName", "")
    message = f"The sandbox runs no functions: {name} was not called."
    return {"error": True, "body": {"errorType": "AccessDeniedException", "errorMessage": message}, "log": ""}
