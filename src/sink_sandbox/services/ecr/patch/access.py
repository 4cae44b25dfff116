"""ECR's registry asks what the role may do that the token was made for.

Who signs in with what ``GetAuthorizationToken`` returned acts as its caller
(https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html). Who that is the guard has found
out, by the token or by a signature, before a request comes here.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ministack.core.responses import get_region
from ministack.services import ecr

from sink_sandbox.authentication.guard import caller
from sink_sandbox.authentication.registry_token import USER, make_token
from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.containers.registry_client import MESSAGE_HEADER
from sink_sandbox.services.iam.access import RoleRefused
from sink_sandbox.services.iam.patch.roles import ServiceRoles

_ACTIONS = {
    ("blob_uploads", "POST"): "ecr:InitiateLayerUpload",
    ("blob_upload_session", "PATCH"): "ecr:UploadLayerPart",
    ("blob_upload_session", "PUT"): "ecr:CompleteLayerUpload",
    ("blob", "HEAD"): "ecr:BatchCheckLayerAvailability",
    ("blob", "GET"): "ecr:GetDownloadUrlForLayer",
    ("manifest", "PUT"): "ecr:PutImage",
    ("manifest", "GET"): "ecr:BatchGetImage",
    ("manifest", "HEAD"): "ecr:BatchGetImage",
    ("manifest", "DELETE"): "ecr:BatchDeleteImage",
    ("tags_list", "GET"): "ecr:ListImages",
    ("catalog", "GET"): "ecr:DescribeRepositories",
}
"""What IAM asks for each request of the registry's protocol.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
"""

_DENIED = 403


class RegistryAccess:
    """The registry of one sandbox, as roles may use it."""

    def __init__(self, roles: ServiceRoles, secret: str) -> None:
        self._roles = roles
        self._secret = secret

    def install(self) -> None:
        """Hand out tokens, and look at what their holders do."""
        make, handle = ecr._get_authorization_token, ecr.handle_registry_request

        def get_authorization_token(data: dict[str, Any]) -> Any:
            status, headers, body = make(data)
            token = make_token(self._secret, caller.get())
            answer = json.loads(body)
            answer["authorizationData"][0]["authorizationToken"] = base64.b64encode(
                f"{USER}:{token}".encode()
            ).decode()
            return status, headers, json.dumps(answer).encode()

        async def handle_registry_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
        ) -> Any:
            try:
                self._check(method.upper(), path, headers, query_params)
                query_params = self._without_foreign_mount(query_params)
            except RoleRefused as refused:
                status, answered, told = ecr._registry_error(_DENIED, "DENIED", str(refused), {})
                # The answer to HEAD has no body to tell it in.
                return status, {**answered, MESSAGE_HEADER: str(refused)}, told
            return await handle(method, path, headers, body, query_params)

        ecr._get_authorization_token = get_authorization_token
        ecr.handle_registry_request = handle_registry_request

    def _check(self, method: str, path: str, headers: dict[str, str], query_params: dict[str, Any]) -> None:
        parsed = ecr._parse_v2_path(path)
        if caller.get() == ACCOUNT_ID or parsed is None:
            return
        verb, name, _ = parsed
        lowered = {key.lower(): value for key, value in headers.items()}
        ecr._select_registry_request_scope(name, lowered, query_params)
        wanted = [_ACTIONS[verb, method]] if (verb, method) in _ACTIONS else []
        if (verb, method) == ("blob_upload_session", "PUT"):
            wanted.insert(0, "ecr:UploadLayerPart")  # our `docker` sends a layer's bytes with its end
        for action in wanted:
            self._roles.check_key(caller.get(), action, ecr._repo_arn(name) if name else "*", get_region())

    def _without_foreign_mount(self, query_params: dict[str, Any]) -> dict[str, Any]:
        """Return the query without a layer of a repository that the caller may not pull from.

        Who mounts a layer can read it from then on. What is not mounted is uploaded
        (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository).
        """
        source = (query_params.get("from") or [""])[0]
        if caller.get() == ACCOUNT_ID or "mount" not in query_params:
            return query_params
        needed = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        if all(
            self._roles.allows_key(caller.get(), each, ecr._repo_arn(source), get_region()) for each in needed
        ):
            return query_params
        return {name: values for name, values in query_params.items() if name not in ("mount", "from")}
