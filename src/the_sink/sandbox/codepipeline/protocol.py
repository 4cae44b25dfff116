"""What requests to the service must look like, by botocore's own model of it, and how lists are paged."""

from __future__ import annotations

from functools import cache
from typing import Any

from the_sink.sandbox.codepipeline.errors import ServiceError
from the_sink.sandbox.codepipeline.store import Record

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
    """Refuse a request that does not fit the service model.

    Raises:
        ServiceError: ValidationException with every problem.
    """
    from botocore.validate import ParamValidator

    shape = service_model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ServiceError("ValidationException", report.generate_report())
