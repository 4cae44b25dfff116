"""The service's exceptions, named as its API names them."""

from __future__ import annotations


class ServiceError(Exception):
    """An error answer of the API: ``code`` is the exception's name in the service model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def pipeline_not_found(name: str) -> ServiceError:
    """The pipeline does not exist in this region."""
    return ServiceError("PipelineNotFoundException", f"Account does not have a pipeline with name '{name}'")


def execution_not_found(pipeline: str, execution_id: str) -> ServiceError:
    """The execution does not exist."""
    return ServiceError(
        "PipelineExecutionNotFoundException",
        f"The pipeline execution {execution_id} of the pipeline {pipeline} does not exist.",
    )


def stage_not_found(pipeline: str, stage: str) -> ServiceError:
    """The pipeline has no such stage."""
    return ServiceError("StageNotFoundException", f"The pipeline {pipeline} does not have a stage {stage}.")
