"""Who has no key gets nothing: a web page, a foreign name, another user, an old or a forged signature.

Played against every path that is routed: the sandbox's routes, and every path that the emulator's own source
names, so that a path which a new version adds is attacked too.
"""

from __future__ import annotations

import ast
import http.client
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ministack
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from sink_sandbox.authentication.guard import Asks
from sink_sandbox.client import lifecycle
from sink_sandbox.server.routes import ROUTES, find_route
from tests.clients import ask, client_of, root_of

from ..helpers import make_role
from ..shop import HOST, Shop

SAMPLES = {
    r"/_sandbox/": ["/_sandbox/status", "/_sandbox/access", "/_sandbox/reset"],
    r"/_": ["/_ministack/reset", "/_localstack/health", "/_aws/execute-api/a/b/c"],
    r"/health$": ["/health"],
    r"/latest/": ["/latest/meta-data/iam/security-credentials/"],
    r"/v2/credentials(/|$)": ["/v2/credentials/1", "/v2/credentials"],
    r"/v4/": ["/v4/0123456789abcdef", "/v4/0123456789abcdef/task"],
    r"/v2/?$": ["/v2/", "/v2"],
    r"/v2/_catalog$": ["/v2/_catalog"],
    r"/v2/(?!email/).*(/blobs/|/manifests/|/tags/list$)": [
        "/v2/app/manifests/one",
        "/v2/app/blobs/uploads/",
        "/v2/app/tags/list",
        "/v2/sink-00000000/000000000000/eu-west-1/app/manifests/one",
    ],
    r"": ["/", "/sources/app.zip", "/v2/apis", "/v2/email/identities", "/2015-03-31/functions/"],
}
"""A path or more for each route."""


def emulated_paths() -> set[str]:
    """Every path, or beginning of one, that ministack's application and router speak of."""
    package = Path(ministack.__file__).parent
    found: set[str] = set()
    for source in (package / "app.py", package / "core" / "router.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"^\^?(/[A-Za-z0-9_./-]*)$", node.value))
    return found


PATHS = sorted({path for paths in SAMPLES.values() for path in paths} | emulated_paths())


def test_each_route_is_attacked() -> None:
    assert {route.pattern for route in ROUTES} == set(SAMPLES)
    for pattern, paths in SAMPLES.items():
        assert {find_route(path).pattern for path in paths} == {pattern}
    assert len(emulated_paths()) > 40
    assert "/_ministack/reset" in emulated_paths()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
KEY_IN_QUERY = (
    "X-Amz-Credential=000000000000/20260101/eu-west-1/cloudformation/aws4_request&X-Amz-Signature=00"
)
TEMPLATE = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
STACK = f"Action=CreateStack&StackName=stolen&TemplateBody={TEMPLATE}"

Attack = Callable[[lifecycle.Sandbox, str], tuple[int, dict[str, str], bytes]]


def anonymous(method: str, query: str = "", body: str = "", **headers: str) -> Attack:
    """Without any signature, or with what looks like one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def attack(sandbox: lifecycle.Sandbox, path: str) -> tuple[int, dict[str, str], bytes]:
        return ask(sandbox, method, path + query, body=body.encode(), headers=named)

    return attack


def signed(secret: str = "", method: str = "GET", late_h: float = 0, **headers: str) -> Attack:
    """With a signature that is right but for what is said here."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def attack(sandbox: lifecycle.Sandbox, path: str) -> tuple[int, dict[str, str], bytes]:
        key: Mapping[str, Any] = root_of(sandbox) | ({"SecretAccessKey": secret} if secret else {})
        at = datetime.now(UTC) - timedelta(hours=late_h)
        told = {name: value.format(port=sandbox.port) for name, value in named.items()}
        return ask(sandbox, method, path, headers=told, signed_by=key, at=at)

    return attack


ATTACKS: dict[str, Attack] = {
    "a form that a page posts": anonymous(
        "POST", f"?{KEY_IN_QUERY}", STACK, **FORM, Origin="https://evil.example"
    ),
    "the same without an origin": anonymous("POST", f"?{KEY_IN_QUERY}", STACK, **FORM),
    "an image": anonymous("GET", f"?{KEY_IN_QUERY}&{quote(STACK, safe='=&')}"),
    "nothing at all": anonymous("GET"),
    "a preflight": anonymous("OPTIONS", Origin="https://evil.example", Access_Control_Request_Method="POST"),
    "the access key as a password": anonymous("GET", Authorization="Basic MDAwMDAwMDAwMDAwOng="),
    "a signature by a guess": signed("sandbox"),
    "a signature of yesterday": signed(late_h=24),
    "a signature of tomorrow": signed(late_h=-24),
    "a rebound name": signed(Host="evil.example:{port}"),
    "the registry's name": signed(Host="000000000000.dkr.ecr.eu-west-1.amazonaws.com.evil.example"),
    "a foreign page with the key": signed(Origin="https://evil.example"),
    "a file's page with the key": signed(Origin="null"),
    "another site": signed(Sec_Fetch_Site="cross-site"),
    "a sibling of the site": signed(Sec_Fetch_Site="same-site"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_on_every_path(attack: str, sandbox: lifecycle.Sandbox, aws: Any) -> None:
    aws("s3").create_bucket(Bucket="sources", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    for path in PATHS:
        status, headers, body = ATTACKS[attack](sandbox, path)

        asks = find_route(path).asks
        assert status == 403 or (status, asks) == (401, Asks.REGISTRY), (path, status, body)
        assert not [name for name in headers if name.startswith("access-control-")], path
        sentence = body.decode()
        assert b"\n" not in body, (path, sentence)
        assert sandbox.secret not in sentence

    assert [bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"]] == ["sources"]
    assert aws("cloudformation").describe_stacks()["Stacks"] == []


def test_a_closed_path_is_closed_for_root_too(sandbox: lifecycle.Sandbox) -> None:
    closed = [route.pattern for route in ROUTES if route.is_closed]
    administrative = {path for path in emulated_paths() if path.startswith("/_") or "health" in path}
    assert {"/_ministack/reset", "/_ministack/config", "/health"} <= administrative

    for path in administrative | {path for pattern in closed for path in SAMPLES[pattern]}:
        for method in ("GET", "POST", "PUT", "OPTIONS"):
            status, _, body = ask(sandbox, method, path, signed_by=root_of(sandbox))
            assert (status, b"The sandbox has no " in body) == (403, True), (method, path, body)


def test_a_closed_path_is_closed_for_a_role(sandbox: lifecycle.Sandbox, aws: Any) -> None:
    """However the path is written: as the emulator would decode or shorten it, or whole."""
    make_role(aws, "everything")
    session = assume(aws, "everything")
    aws("sqs").create_queue(QueueName="kept")

    for path in ("/_ministack/reset", "/_MINISTACK/reset", "/_localstack/health"):
        status, _, body = ask(sandbox, "POST", path, signed_by=session)
        assert (status, b"The sandbox has no " in body) == (403, True), (path, body)
    for path in (
        "//_ministack/reset",
        "/x/../_ministack/reset",
        "/%5Fministack/reset",
        "/%255Fministack/reset",
    ):
        ask(sandbox, "POST", path, signed_by=session)  # an object's key, whatever S3 says of it
    assert len(aws("sqs").list_queues()["QueueUrls"]) == 1


def test_a_role_reaches_no_path_of_the_sandbox(sandbox: lifecycle.Sandbox, aws: Any) -> None:
    """Not even one that may do everything: a task of an app must not empty what all apps share."""
    make_role(aws, "everything")
    session = assume(aws, "everything")

    for path in SAMPLES[r"/_sandbox/"]:
        for method in ("GET", "POST"):
            status, _, body = ask(sandbox, method, path, signed_by=session)
            assert (status, b"Only the root key" in body) == (403, True)
    assert ask(sandbox, "GET", "/", signed_by=session)[0] == 200


def test_a_session_is_its_key_its_secret_and_its_token(sandbox: lifecycle.Sandbox, aws: Any) -> None:
    make_role(aws, "everything")
    session = assume(aws, "everything")
    other = assume(aws, "everything")

    for wrong in (
        {"SessionToken": other["SessionToken"]},
        {"SessionToken": None},
        {"SecretAccessKey": other["SecretAccessKey"]},
        {"AccessKeyId": other["AccessKeyId"]},
        {"SecretAccessKey": sandbox.secret},
    ):
        assert ask(sandbox, "GET", "/", signed_by={**session, **wrong})[0] == 403, wrong
    assert ask(sandbox, "GET", "/", signed_by=root_of(sandbox) | {"SessionToken": "x"})[0] == 403


@pytest.mark.parametrize("key", ["test", "", "111111111111", "AKIAIOSFODNN7EXAMPLE"])
def test_root_has_one_name(key: str, sandbox: lifecycle.Sandbox) -> None:
    status, _, _ = ask(sandbox, "GET", "/", signed_by=root_of(sandbox) | {"AccessKeyId": key})

    assert status == 403


def test_what_is_said_in_the_header_and_not_signed_is_refused(sandbox: lifecycle.Sandbox) -> None:
    """An address that was presigned for one thing does no other."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    s3 = client_of(sandbox, "s3", config=Config(signature_version="s3v4"))
    path = s3.generate_presigned_url("put_object", {"Bucket": "sources", "Key": "a"})
    connection.request(
        "PUT", path.removeprefix(sandbox.endpoint_url), b"", {"x-amz-copy-source": "secrets/b"}
    )
    answer = connection.getresponse()

    assert (answer.status, b"x-amz-copy-source is not signed" in answer.read()) == (403, True)


def test_a_signature_holds_for_one_body_alone(sandbox: lifecycle.Sandbox) -> None:
    for service in ("s3", "sqs"):
        request = AWSRequest("POST", f"{sandbox.endpoint_url}/", FORM, b"Action=ListQueues")
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        kind(Credentials(lifecycle.ACCOUNT_ID, sandbox.secret), service, "eu-west-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
        connection.request("POST", "/", b"Action=CreateQueue&QueueName=q", dict(request.headers.items()))
        assert connection.getresponse().status == 403


def test_two_signatures_are_none(sandbox: lifecycle.Sandbox) -> None:
    """The emulator might take the other one."""
    status, _, body = ask(sandbox, "GET", f"/?{KEY_IN_QUERY}", signed_by=root_of(sandbox))

    assert (status, b"Only one signature" in body) == (403, True)


def test_another_user_of_this_machine_gets_nothing(sandbox: lifecycle.Sandbox) -> None:
    """What is left to them is to ask without a key."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    program = (
        "import pathlib, sys, urllib.error, urllib.request\n"
        "url, home = sys.argv[1:]\n"
        "for path in (\n"
        "    '/_sandbox/status',\n"
        "    '/_ministack/health',\n"
        "    '/?Action=ListUsers&AWSAccessKeyId=000000000000',\n"
        "    '/v2/_catalog',\n"
        "):\n"
        "    try:\n"
        "        urllib.request.urlopen(url + path)\n"
        "    except urllib.error.HTTPError as error:\n"
        "        print(error.code)\n"
        "for name in ('secret', 'sandbox.json', 'state'):\n"
        "    try:\n"
        "        (pathlib.Path(home) / name).stat()\n"
        "    except PermissionError:\n"
        "        print('closed')\n"
    )
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

    done = subprocess.run(
        [*nobody, "/usr/bin/python3", "-I", "-c", program, sandbox.endpoint_url, str(sandbox.state_dir)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.split(), done.stderr) == (["403", "403", "403", "401", *["closed"] * 3], "")


def test_the_name_of_a_load_balancer_leads_to_apps_alone(shop: Shop) -> None:
    """And there a page may ask: whom to answer is the app's own matter."""
    shop.push("live")
    assert shop.deploy()["StackStatus"] == "CREATE_COMPLETE"

    def get(path: str, host: str) -> tuple[int, bytes]:
        headers = {"Host": f"{host}:{shop.sandbox.port}", "Origin": "https://evil.example"}
        status, _, body = ask(shop.sandbox, "POST" if "reset" in path else "GET", path, headers=headers)
        return status, body

    assert get("/", HOST)[0] == 200
    assert get("/_ministack/health", HOST)[0] == 200  # the app's, which answers every path
    assert get("/_sandbox/reset", "nobodys.alb.localhost") == (
        404,
        f"There is no load balancer nobodys.alb.localhost:{shop.sandbox.port}.\n".encode(),
    )
    assert shop.service()["runningCount"] == 1


def assume(aws: Any, role: str) -> dict[str, Any]:
    """A session of a role, as ``ask`` takes it."""
    arn = f"arn:aws:iam::000000000000:role/{role}"
    return dict(aws("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"])
