"""ECR's registry asks what the role may do that the token was made for.

Who signs in with what ``GetAuthorizationToken`` returned acts as its caller
(https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html). A request without a token is one
of the sandbox's own, or of a Docker Engine, which is given none: it is answered.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import ecr

from the_sink.sandbox.access import Credentials, RoleRefused
from the_sink.sandbox.compute.registry import MESSAGE_HEADER
from the_sink.sandbox.emulator.roles import ServiceRoles

_ACTIONS = {
    ("blob_uploads", "POST"): "ecr:InitiateLayerUpload",
    ("blob_upload_session", "PATCH"): "ecr:UploadLayerPart",
    ("blob_upload_session", "PUT"): "ecr:CompleteLayerUpload",
    ("blob", "HEAD"): "ecr:BatchCheckLayerAvailability",
    ("blob", "GET"): "ecr:GetDownloadUrlForLayer",
    ("manifest", "PUT"): "ecr:PutImage",
    ("manifest", "GET"): "ecr:BatchGetImage",
    ("manifest", "HEAD"): "ecr:BatchGetImage",
}
"""What IAM asks for each request of the registry's protocol.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
"""

_DENIED = 403


class RegistryAccess:
    """The tokens that roles were given."""

    def __init__(self, roles: ServiceRoles) -> None:
        self._roles = roles
        self._tokens: dict[str, Credentials] = {}

    def install(self) -> None:
        """Hand out tokens, and look at them."""
        make, handle = ecr._get_authorization_token, ecr.handle_registry_request

        def get_authorization_token(data: dict[str, Any]) -> Any:
            status, headers, body = make(data)
            caller = self._roles.find(iam_evaluator.caller_arn())
            if caller is None:
                return status, headers, body
            token = secrets.token_urlsafe(30)
            self._tokens[token] = caller
            answer = json.loads(body)
            answer["authorizationData"][0]["authorizationToken"] = base64.b64encode(
                f"AWS:{token}".encode()
            ).decode()
            return status, headers, json.dumps(answer).encode()

        async def handle_registry_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
        ) -> Any:
            try:
                self._check(method.upper(), path, headers, query_params)
            except RoleRefused as refused:
                status, answered, told = ecr._registry_error(_DENIED, "DENIED", str(refused), {})
                # The answer to HEAD has no body to tell it in.
                return status, {**answered, MESSAGE_HEADER: str(refused)}, told
            return await handle(method, path, headers, body, query_params)

        ecr._get_authorization_token = get_authorization_token
        ecr.handle_registry_request = handle_registry_request

    def forget(self) -> None:
        """Drop the tokens, because everything is."""
        self._tokens.clear()

    def _check(self, method: str, path: str, headers: dict[str, str], query_params: dict[str, Any]) -> None:
        caller = self._tokens.get(_password(headers))
        parsed = ecr._parse_v2_path(path)
        if caller is None or parsed is None:
            return
        verb, name, _ = parsed
        lowered = {key.lower(): value for key, value in headers.items()}
        ecr._select_registry_request_scope(name, lowered, query_params)
        wanted = [_ACTIONS[verb, method]] if (verb, method) in _ACTIONS else []
        if (verb, method) == ("blob_upload_session", "PUT"):
            wanted.insert(0, "ecr:UploadLayerPart")  # our `docker` sends a layer's bytes with its end
        for action in wanted:
            self._roles.check(caller, action, ecr._repo_arn(name), get_region())


def _password(headers: dict[str, str]) -> str:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value).decode().partition(":")[2]
    except ValueError:
        return ""
