"""The face of ``sink_sandbox``: what the platform and the demo may use, and what it costs to import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import sink_sandbox


def test_every_name_of_the_face_is_there():
    for name in sink_sandbox.__all__:
        assert getattr(sink_sandbox, name) is not None

    with pytest.raises(AttributeError, match="module 'sink_sandbox' has no attribute 'lifecycles'"):
        _ = sink_sandbox.lifecycles


def test_importing_the_face_imports_nothing_behind_it():
    """The `docker` of a build pays for it at every command."""
    program = (
        "import sys, json; before = set(sys.modules); import sink_sandbox; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert [name for name in json.loads(done.stdout) if name.startswith(("sink_", "the_sink"))] == [
        "sink_sandbox"
    ]


def test_the_environment_of_a_sandbox_is_what_aws_and_boto3_read(sandbox):
    assert sink_sandbox.environment(sandbox, "us-east-1") == {
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
        "AWS_ACCESS_KEY_ID": sink_sandbox.ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
