"""A refusal as the client that is refused can read it: in the protocol of its service, one sentence."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from sink_sandbox.authentication.guard import Asks
from sink_sandbox.authentication.signature import Refused

_CODES = {"MissingAuthenticationToken": "UNAUTHORIZED"}
"""https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes; others are DENIED."""


async def send_refusal(scope: Any, send: Any, refused: Refused, asks: Asks) -> None:
    """Answer 403, or 401 with a challenge where ``docker`` must be told to sign in."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    status, extra = 403, []
    if asks is Asks.REGISTRY:
        code = _CODES.get(refused.code, "DENIED")
        kind, body = "application/json", {"errors": [{"code": code, "message": str(refused)}]}
        content = json.dumps(body)
        if code == "UNAUTHORIZED":
            status = 401
            realm = f'Basic realm="http://{headers.get(b"host", "")}/",service="ecr.amazonaws.com"'
            extra = [(b"www-authenticate", realm.encode("latin-1"))]
    elif _is_json(scope, headers):
        kind = headers.get(b"content-type", "application/json")
        content = json.dumps({"__type": refused.code, "message": str(refused)})
    else:
        kind, content = "text/xml", _as_xml(refused, headers.get(b"authorization", ""))
    encoded = content.encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", kind.encode("latin-1")),
                (b"content-length", str(len(encoded)).encode()),
                (b"x-amzn-errortype", refused.code.encode()),
                (b"connection", b"close"),  # what is left of the body is not waited for
                *extra,
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else encoded})


def without_cors(send: Any) -> Any:
    """Return what sends an answer without the headers that would let a web page read it.

    https://fetch.spec.whatwg.org/#http-cors-protocol
    """

    async def send_without(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if not pair[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_without


def _is_json(scope: Any, headers: dict[bytes, str]) -> bool:
    sends_json = "json" in headers.get(b"content-type", "")
    return sends_json or b"x-amz-target" in headers or scope["path"].startswith("/_")


def _as_xml(refused: Refused, authorization: str) -> str:
    code = refused.code
    if code == "InvalidClientTokenId" and "/s3/aws4_request" in authorization:
        code = "InvalidAccessKeyId"  # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    error = f"<Error><Code>{code}</Code><Message>{escape(str(refused))}</Message></Error>"
    if "/ec2/aws4_request" in authorization:
        return f"<Response><Errors>{error}</Errors><RequestID>-</RequestID></Response>"
    return f"<ErrorResponse>{error}<RequestId>-</RequestId></ErrorResponse>"
