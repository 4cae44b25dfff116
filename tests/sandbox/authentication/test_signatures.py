"""Each way of signing that AWS takes is taken: in the header, presigned, streaming, under a session."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sink_sandbox.authentication.chunks import SIGNED, SIGNED_WITH_TRAILER, UNSIGNED_WITH_TRAILER
from sink_sandbox.authentication.signature import Request, expected, read_signature
from sink_sandbox.client import lifecycle
from tests.clients import ask, client_of, root_of

from ..helpers import make_role

EU = {"LocationConstraint": "eu-west-1"}
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="/"), min_size=1)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126))


@given(
    segments=st.lists(NAMES, max_size=4),
    query=st.lists(st.tuples(NAMES, TEXT), max_size=4),
    header=TEXT,
    is_s3=st.booleans(),
    is_presigned=st.booleans(),
    token=st.sampled_from([None, "token/+="]),
)
def test_what_botocore_signs_is_what_is_computed_here(
    segments: list[str],
    query: list[tuple[str, str]],
    header: str,
    is_s3: bool,
    is_presigned: bool,
    token: str | None,
) -> None:
    path = "/" + "/".join(quote(segment, safe="-._~") for segment in segments)
    asked = "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in query)
    request = AWSRequest("GET", f"http://127.0.0.1:4566{path}?{asked}", {"x-amz-meta-told": header})
    kinds = {
        (True, True): S3SigV4QueryAuth,
        (True, False): S3SigV4Auth,
        (False, True): SigV4QueryAuth,
        (False, False): SigV4Auth,
    }
    service = "s3" if is_s3 else "sqs"
    kinds[is_s3, is_presigned](Credentials("key", "secret", token), service, "eu-west-1").add_auth(request)
    prepared = request.prepare()
    raw_path, _, sent = prepared.url.removeprefix("http://127.0.0.1:4566").partition("?")
    headers = {name.lower(): " ".join(value.split()) for name, value in prepared.headers.items()}
    received = Request("GET", raw_path, sent, {**headers, "host": "127.0.0.1:4566"})

    found = read_signature(received)

    empty = hashlib.sha256(b"").hexdigest()
    payload = "UNSIGNED-PAYLOAD" if is_s3 and is_presigned else headers.get("x-amz-content-sha256", empty)
    assert found.value == expected(received, found, "secret", payload)
    assert found.token == (token or "")


@pytest.fixture
def s3(sandbox: lifecycle.Sandbox) -> Any:
    """S3 with a bucket, whose client presigns as AWS still takes it."""
    client = client_of(sandbox, "s3", config=Config(signature_version="s3v4"))
    client.create_bucket(Bucket="sources", CreateBucketConfiguration=EU)
    return client


KEYS = ["a b+c", "ä/ö", "a%2Fb", "a//b", "a:b@c=d&e~f*g(h)!i'j", "./a", "report.2026"]


@pytest.mark.parametrize("key", KEYS)
def test_an_object_has_any_name(key: str, s3: Any) -> None:
    s3.put_object(Bucket="sources", Key=key, Body=b"told", Metadata={"note": "two  blanks, and a comma"})

    assert s3.get_object(Bucket="sources", Key=key)["Body"].read() == b"told"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="sources", Prefix=key)["Contents"]] == [key]


def test_a_presigned_address_opens_until_it_expires(s3: Any, sandbox: lifecycle.Sandbox) -> None:
    s3.put_object(Bucket="sources", Key="a b+c", Body=b"told")

    def get(since: timedelta, good_for_s: int = 60) -> tuple[int, bytes]:
        with patch("botocore.auth.get_current_datetime", lambda: datetime.now(UTC) - since):
            url = s3.generate_presigned_url(
                "get_object", {"Bucket": "sources", "Key": "a b+c"}, ExpiresIn=good_for_s
            )
        status, _, body = ask(sandbox, "GET", url.removeprefix(sandbox.endpoint_url))
        return status, body

    assert get(timedelta()) == (200, b"told")
    assert get(timedelta(days=6), good_for_s=7 * 24 * 3600) == (200, b"told")
    assert get(timedelta(seconds=90))[0] == 403
    assert b"The presigned address has expired." in get(timedelta(seconds=90))[1]
    assert get(timedelta(hours=-1))[0] == 403
    assert get(timedelta(), good_for_s=7 * 24 * 3600 + 1)[0] == 403


def test_a_presigned_address_takes_a_body(s3: Any, sandbox: lifecycle.Sandbox) -> None:
    url = s3.generate_presigned_url("put_object", {"Bucket": "sources", "Key": "up"})

    assert ask(sandbox, "PUT", url.removeprefix(sandbox.endpoint_url), body=b"told")[0] == 200
    assert s3.get_object(Bucket="sources", Key="up")["Body"].read() == b"told"


def test_an_address_that_aws_would_not_open_is_refused_in_its_words(sandbox: lifecycle.Sandbox) -> None:
    """Signature Version 2, with which boto3 presigns where nobody chose another."""
    url = client_of(sandbox, "s3").generate_presigned_url("get_object", {"Bucket": "sources", "Key": "a"})

    status, _, body = ask(sandbox, "GET", url.removeprefix(sandbox.endpoint_url))

    assert (status, b"Please use AWS4-HMAC-SHA256." in body) == (403, True)


def test_a_query_is_presigned_for_other_services_too(sandbox: lifecycle.Sandbox) -> None:
    sts = client_of(sandbox, "sts")
    url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")

    status, _, body = ask(sandbox, "GET", url.removeprefix(sandbox.endpoint_url))

    assert (status, b"arn:aws:iam::000000000000:root" in body) == (200, True)


def put_in_chunks(
    sandbox: lifecycle.Sandbox,
    chunks: list[bytes],
    kind: str,
    change: Callable[[bytes], bytes] = lambda body: body,
) -> tuple[int, bytes]:
    """PUT an object as SDKs stream one; ``change`` is what happens to the body on the way."""
    length = str(sum(map(len, chunks)))
    crc = zlib.crc32(b"".join(chunks)).to_bytes(4, "big")
    checksum = b"x-amz-checksum-crc32:" + base64.b64encode(crc)
    headers = {
        "x-amz-content-sha256": kind,
        "x-amz-decoded-content-length": length,
        "content-encoding": "aws-chunked",
        **({"x-amz-trailer": "x-amz-checksum-crc32"} if kind != SIGNED else {}),
    }
    request = AWSRequest("PUT", f"{sandbox.endpoint_url}/sources/streamed", headers)
    request.headers["X-Amz-Content-SHA256"] = kind
    auth = _Streaming(Credentials(lifecycle.ACCOUNT_ID, sandbox.secret), "s3", "eu-west-1")
    auth.kind = kind
    auth.add_auth(request)
    stamp, scope = request.context["timestamp"], auth.credential_scope(request)
    previous = request.headers["Authorization"].rpartition("=")[2]
    key = f"AWS4{sandbox.secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()

    def sign(*lines: str) -> str:
        return hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()

    body = b""
    empty = hashlib.sha256(b"").hexdigest()
    for chunk in [*chunks, b""]:
        body += f"{len(chunk):x}".encode()
        if kind != UNSIGNED_WITH_TRAILER:
            told = hashlib.sha256(chunk).hexdigest()
            previous = sign("AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, empty, told)
            body += f";chunk-signature={previous}".encode()
        body += b"\r\n" + chunk + (b"\r\n" if chunk else b"")
    if kind != SIGNED:
        body += checksum + b"\r\n"
    if kind == SIGNED_WITH_TRAILER:
        told = hashlib.sha256(checksum + b"\n").hexdigest()
        body += b"x-amz-trailer-signature:"
        body += sign("AWS4-HMAC-SHA256-TRAILER", stamp, scope, previous, told).encode() + b"\r\n"
    body += b"\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    connection.request("PUT", "/sources/streamed", change(body), dict(request.headers.items()))
    answer = connection.getresponse()
    return answer.status, answer.read()


class _Streaming(S3SigV4Auth):  # type: ignore[misc]
    """botocore itself streams no signed chunks, but signs their headers as any others."""

    kind = ""

    def payload(self, _request: AWSRequest) -> str:
        return self.kind


@pytest.mark.parametrize("kind", [SIGNED, SIGNED_WITH_TRAILER])
def test_a_body_is_signed_chunk_by_chunk(kind: str, s3: Any, sandbox: lifecycle.Sandbox) -> None:
    chunks = [b"a" * 65536, b"told"]

    assert put_in_chunks(sandbox, chunks, kind)[0] == 200
    assert s3.get_object(Bucket="sources", Key="streamed")["Body"].read() == b"".join(chunks)
    for change in (
        lambda body: body.replace(b"told", b"sold"),
        lambda body: body.replace(b"chunk-signature=", b"chunk-signature=0", 1),
        lambda body: body[: body.rindex(b"4;chunk")],
        lambda body: body.replace(b"crc32:", b"crc32:A") if kind == SIGNED_WITH_TRAILER else body[:-60],
    ):
        status, said = put_in_chunks(sandbox, chunks, kind, change)
        assert (status, b"The body is not the one that was signed." in said) == (403, True)


def test_the_chunks_of_an_unsigned_body_are_taken(s3: Any, sandbox: lifecycle.Sandbox) -> None:
    """As SDKs send them where a checksum follows; the request itself is signed."""
    assert put_in_chunks(sandbox, [b"told"], UNSIGNED_WITH_TRAILER)[0] == 200
    assert s3.get_object(Bucket="sources", Key="streamed")["Body"].read() == b"told"


def test_the_key_is_found_by_aws_and_boto3_in_the_environment(sandbox: lifecycle.Sandbox) -> None:
    """What the printed line sets is all that they need, and what it sets is right."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": lifecycle.ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret,
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
    }
    command = [
        sys.executable,
        "-m",
        "awscli",
        "sts",
        "get-caller-identity",
        "--query",
        "Arn",
        "--output",
        "text",
    ]

    def run(secret: str) -> subprocess.CompletedProcess[str]:
        named = {**environment, "AWS_SECRET_ACCESS_KEY": secret}
        return subprocess.run(command, env=named, capture_output=True, text=True, check=False)

    assert run(sandbox.secret).stdout == "arn:aws:iam::000000000000:root\n"
    assert run("sandbox").stderr.strip() == (
        "An error occurred (SignatureDoesNotMatch) when calling the GetCallerIdentity operation: "
        "The signature is not one by the secret of this key."
    )


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("s3", "list_buckets"),
        ("sqs", "list_queues"),
        ("ec2", "describe_vpcs"),
        ("cloudformation", "describe_stacks"),
        ("ecs", "list_clusters"),
        ("efs", "describe_file_systems"),
    ],
)
def test_a_refusal_is_read_by_every_protocol(service: str, call: str, sandbox: lifecycle.Sandbox) -> None:
    stranger = client_of(sandbox, service, session=root_of(sandbox) | {"SecretAccessKey": "sandbox"})

    with pytest.raises(ClientError, match=r"The signature is not one by the secret of this key\.") as refused:
        getattr(stranger, call)()

    assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_session_acts_under_its_role(sandbox: lifecycle.Sandbox, aws: Any) -> None:
    make_role(
        aws, "reader", {"Statement": [{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}]}
    )
    arn = "arn:aws:iam::000000000000:role/reader"
    session = aws("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]

    assert client_of(sandbox, "sqs", session=session).list_queues().get("QueueUrls", []) == []
    with pytest.raises(ClientError, match="not authorized to perform: sns:ListTopics"):
        client_of(sandbox, "sns", session=session).list_topics()


def test_the_secret_is_made_once_and_kept_from_others(free_port: Callable[[], int]) -> None:
    """Over a stop and a reset, and for the state of a version that had none."""
    made = lifecycle.start("own", port=free_port())
    file = Path(made.state_dir / "secret")
    try:
        assert (file.read_text(), file.stat().st_mode & 0o777) == (made.secret, 0o600)
        assert len(made.secret) >= 40
        assert made.secret not in repr(made)
        lifecycle.stop("own")
        lifecycle.reset("own")
        again = lifecycle.start("own")
        assert again.secret == made.secret
        lifecycle.stop("own")
        file.unlink()
        anew = lifecycle.start("own")
        assert anew.secret not in ("", made.secret)
        assert client_of(anew, "sts").get_caller_identity()["Account"] == lifecycle.ACCOUNT_ID
    finally:
        lifecycle.stop("own")


def test_state_is_its_users_alone_whatever_the_umask(
    free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder above it that others may write to would let them put another state in its place."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "new" / "state"))
    before = os.umask(0)
    try:
        made = lifecycle.start("open", port=free_port())
        folders = [made.state_dir, *made.state_dir.parents[:2]]
        entries = list(made.state_dir.iterdir())
    finally:
        os.umask(before)
        lifecycle.stop("open")

    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
    assert {entry.name for entry in entries} >= {"secret", "sandbox.json", "server.lock", "state"}
    assert [entry.name for entry in entries if entry.exists() and entry.stat().st_mode & 0o077] == []
