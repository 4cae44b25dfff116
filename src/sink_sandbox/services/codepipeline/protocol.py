"""What requests to the service must look like, by botocore's own model of it, and how lists are paged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from sink_sandbox.services.codepipeline.errors import ServiceError

Record = dict[str, Any]
"""A request or an answer, in AWS's shape."""

TARGET_PREFIX = "CodePipeline_20150709"


def page(key: str, found: list[Any], request: Record) -> Record:
    """Return the part of a list that the request asks for, and the token of the next."""
    start = int(request.get("nextToken") or 0)
    size = int(request.get("maxResults") or 100)
    answer = {key: found[start : start + size]}
    if start + size < len(found):
        answer["nextToken"] = str(start + size)  # type: ignore[assignment] # the page token joins a list of any kind
    return answer


@cache
def service_model() -> Any:
    """Return botocore's model of the service, the reference for request and answer shapes."""
    import botocore.session

    return botocore.session.get_session().get_service_model("codepipeline")


def check_request(operation: str, request: Record) -> None:
    """Refuse a request that does not fit the service model: its members, their types, lengths and patterns.

    Raises:
        ServiceError: ValidationException with every problem.
    """
    from botocore.validate import ParamValidator

    shape = service_model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ServiceError("ValidationException", report.generate_report())
    problems = list(_unmet(request, shape, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise ServiceError("ValidationException", f"{count}: {'; '.join(problems)}")


def _unmet(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Yield what botocore's own check leaves to the service, in the service's words."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from _unmet(value[name], member, f"{path}.{name}" if path else name)
    elif shape.type_name == "list":
        for index, item in enumerate(value, 1):
            yield from _unmet(item, shape.member, f"{path}.{index}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _unmet(item, shape.value, f"{path}.{key}.member")
    elif shape.type_name == "string":
        told = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must"
        pattern, longest = shape.metadata.get("pattern"), shape.metadata.get("max")
        if longest is not None and len(value) > longest:
            yield f"{told} have length less than or equal to {longest}"
        if pattern is not None and not re.fullmatch(pattern, value):
            yield f"{told} satisfy regular expression pattern: {pattern}"
