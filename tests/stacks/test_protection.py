"""What is kept is private, encrypted and reached over TLS, and nothing worth keeping goes with a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .policies import EVERYTHING

STATEFUL = {
    "AWS::S3::Bucket": ("RetainExceptOnCreate", "Retain"),
    "AWS::EFS::FileSystem": ("RetainExceptOnCreate", "Retain"),
    "AWS::Cognito::UserPool": ("RetainExceptOnCreate", "Retain"),
    "AWS::RDS::DBInstance": ("Snapshot", "Snapshot"),
}
CHOSEN = {"AWS::ECR::Repository", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}
"""Kept or not, each for its reason, but never by accident."""


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_cannot_be_made_again_outlives_its_stack(name: str, stack: Callable[..., Any]) -> None:
    for logical_id, resource in stack(name, **EVERYTHING[name]).resources.items():
        kept = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        if resource["Type"] in STATEFUL:
            assert kept == STATEFUL[resource["Type"]], logical_id
        if resource["Type"] in CHOSEN:
            assert None not in kept, logical_id
            # What an update replaces may be wanted back, and no name is in the way of it.
            assert resource["UpdateReplacePolicy"] == "Retain", logical_id
    secret = stack("pipeline").resources["SecretCore"]
    assert secret["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize(("name", "count"), [("platform", 3), ("pipeline", 1)])
def test_buckets_are_private_encrypted_and_tls_only(name: str, count: int, stack: Callable[..., Any]) -> None:
    resolved = stack(name)
    buckets = [i for i, r in resolved.resources.items() if r["Type"] == "AWS::S3::Bucket"]

    assert len(buckets) == count
    for bucket in buckets:
        properties = resolved.properties(bucket)
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert "SSEAlgorithm" in str(properties["BucketEncryption"])
        assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        policy = resolved.properties(f"{bucket}Policy")
        assert policy["Bucket"] == f"<{bucket}>"
        (tls,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "TlsOnly"]
        assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "s3:*")
        assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert tls["Resource"] == [f"<{bucket}.Arn>", f"<{bucket}.Arn>/*"]


def test_data_is_encrypted_and_not_public(stack: Callable[..., Any]) -> None:
    app = stack("python", RDSInstanceClass="db.t4g.micro", AppEnv="prod")
    database, files = app.properties("Database"), app.properties("FileSystem")
    volume = app.properties("TaskDefinition")["Volumes"][0]["EFSVolumeConfiguration"]

    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is True
    assert database["EngineLifecycleSupport"] == "open-source-rds-extended-support-disabled"  # else billed
    assert database["MasterUserPassword"].startswith("{{resolve:secretsmanager:<DatabaseSecret>:")
    assert files["Encrypted"] is True
    assert volume["TransitEncryption"] == "ENABLED"
    assert volume["AuthorizationConfig"]["IAM"] == "ENABLED"
    assert (
        stack("python", RDSInstanceClass="db.t4g.micro").properties("Database")["DeletionProtection"] is False
    )
