"""Errors as JSON, in one shape: {"detail": a sentence}, or a list of what is wrong with the input."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse


def answer_invalid_input(app: FastAPI) -> None:
    """Say where the input is wrong and why, and do not repeat it: it may be a secret."""

    async def answer(_request: Request, error: Exception) -> JSONResponse:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        detail = [{name: each[name] for name in ("type", "loc", "msg")} for each in found]
        return JSONResponse({"detail": detail}, 422)

    app.add_exception_handler(RequestValidationError, answer)
