"""The registry challenges strangers, and takes the token that ECR gave for what its caller may do."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from sink_sandbox.authentication.registry_token import VALID_S, make_token, read_token
from sink_sandbox.client import lifecycle
from tests.clients import ask, client_of, registry_password

from ..helpers import make_role
from ..images import push_image


def basic(token: str, user: str = "AWS") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}


@pytest.fixture
def registry(sandbox: lifecycle.Sandbox, aws: Any) -> lifecycle.Sandbox:
    """A sandbox with an image in its registry."""
    aws("ecr").create_repository(repositoryName="app")
    push_image(sandbox, "app", "one")
    return sandbox


def test_who_has_no_token_is_told_to_sign_in(registry: lifecycle.Sandbox) -> None:
    for path in ("/v2/", "/v2/app/manifests/one", "/v2/_catalog"):
        status, headers, body = ask(registry, "GET", path)
        realm = f'Basic realm="http://127.0.0.1:{registry.port}/",service="ecr.amazonaws.com"'
        assert (status, headers["www-authenticate"]) == (401, realm)
        assert b"UNAUTHORIZED" in body


def test_the_token_of_the_account_opens_it(registry: lifecycle.Sandbox) -> None:
    token = registry_password(registry)

    assert ask(registry, "GET", "/v2/", headers=basic(token))[0] == 200
    assert ask(registry, "GET", "/v2/app/manifests/one", headers=basic(token))[0] == 200


def test_a_token_is_its_key_and_its_end_under_the_secret(registry: lifecycle.Sandbox) -> None:
    token = registry_password(registry)
    key, ends, seal = token.split(".")
    for forged in (
        f"{key}.{int(ends) + 1}.{seal}",
        f"111111111111.{ends}.{seal}",
        f"{key}.{ends}.{seal[:-1]}",
        f"{key}.{ends}.",
        registry.secret,
        "token",
        "",
        make_token("another secret", key),
        make_token(registry.secret, key, now=time.time() - VALID_S - 1),
        make_token(registry.secret, "ASIAAAAAAAAAAAAAAAAA"),
    ):
        assert ask(registry, "GET", "/v2/", headers=basic(forged))[0] == 403, forged
    assert ask(registry, "GET", "/v2/", headers=basic(token, user="me"))[0] == 403
    assert read_token(registry.secret, basic(token)["Authorization"], now=int(ends)) == ""


def test_a_token_opens_nothing_but_the_registry(registry: lifecycle.Sandbox) -> None:
    token = basic(registry_password(registry))
    prefix = "/v2/sink-00000000/000000000000/eu-west-1"

    for path in ("/", "/_sandbox/status", "/v2/apis", "/v2/email/identities", "/v2/email/x/blobs/y"):
        assert ask(registry, "GET", path, headers=token)[0] == 403, path
    assert ask(registry, "GET", f"{prefix}/email/x/blobs/y", headers=token)[0] == 404


def test_the_token_of_a_role_does_what_the_role_may(registry: lifecycle.Sandbox, aws: Any) -> None:
    """That of a session which a client assumed, too."""
    allowed = {
        "Statement": [
            {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage"], "Resource": "*"}
        ]
    }
    arn = make_role(aws, "puller", allowed)
    session = aws("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    token = basic(registry_password(registry, session=session))

    assert ask(registry, "GET", "/v2/app/manifests/one", headers=token)[0] == 200
    for method, path in (
        ("POST", "/v2/app/blobs/uploads/"),
        ("PUT", "/v2/app/manifests/two"),
        ("DELETE", "/v2/app/manifests/one"),
        ("GET", "/v2/app/tags/list"),
        ("GET", "/v2/_catalog"),
    ):
        status, _, body = ask(registry, method, path, headers=token)
        assert (status, b"is not authorized to perform: ecr:" in body) == (403, True), (method, path)


@pytest.mark.parametrize(("readable", "status"), [("other", 202), ("*", 201)])
def test_a_layer_is_mounted_only_by_who_may_pull_it(
    readable: str, status: int, registry: lifecycle.Sandbox, aws: Any
) -> None:
    """Who may push to one repository would otherwise read the layers of all: instead it uploads its own."""
    aws("ecr").create_repository(repositoryName="other")
    allowed = {
        "Statement": [
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {"Effect": "Allow", "Action": "ecr:*", "Resource": f"arn:aws:ecr:*:*:repository/{readable}"},
        ]
    }
    session = aws("sts").assume_role(RoleArn=make_role(aws, "pusher", allowed), RoleSessionName="test")
    token = basic(registry_password(registry, session=session["Credentials"]))
    manifest = json.loads(
        aws("ecr").batch_get_image(repositoryName="app", imageIds=[{"imageTag": "one"}])["images"][0][
            "imageManifest"
        ]
    )
    digest = manifest["layers"][0]["digest"]

    answer = ask(registry, "POST", f"/v2/other/blobs/uploads/?mount={digest}&from=app", headers=token)

    assert answer[0] == status
    read = ask(registry, "GET", f"/v2/other/blobs/{digest}", headers=token)[0]
    assert read == (200 if status == 201 else 404)


def test_the_address_of_a_layer_opens_by_itself(registry: lifecycle.Sandbox, aws: Any) -> None:
    manifest = aws("ecr").batch_get_image(repositoryName="app", imageIds=[{"imageTag": "one"}])["images"][0]
    digest = manifest["imageManifest"].split('"layers"')[1].split('"digest": "')[1].split('"')[0]
    url = client_of(registry, "ecr").get_download_url_for_layer(repositoryName="app", layerDigest=digest)
    path = url["downloadUrl"].removeprefix(registry.endpoint_url)

    assert ask(registry, "GET", path)[0] == 200
    assert ask(registry, "GET", path.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"))[0] == 403
    assert ask(registry, "PUT", path)[0] == 403
