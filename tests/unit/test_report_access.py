"""A list of accesses is one that a person reads."""

from __future__ import annotations

from typing import Any

from the_sink.report.access import render_accesses

ROLE, OTHER = (
    "arn:aws:iam::000000000000:role/delivery/shop-BuildRole-1",
    "arn:aws:iam::000000000000:role/shop-TaskRole",
)
ARTIFACTS = "arn:aws:s3:::artifacts/shop/SourceOutp"
STREAMS = "arn:aws:logs:eu-west-1:000000000000:log-group:/build:log-stream:"
TASKS = "arn:aws:ecs:eu-west-1:000000000000:task/shop"


def access(action: str, resource: str, role: str = ROLE, allowed: bool = True) -> dict[str, Any]:
    return {"role": role, "action": action, "resource": resource, "allowed": allowed}


def test_what_differs_in_a_generated_name_alone_is_one_line() -> None:
    found = [
        *(access("s3:GetObject", f"{ARTIFACTS}/{key}.zip") for key in ("a1", "b2", "c3")),
        access("s3:PutObject", f"{ARTIFACTS}/a1.zip"),
        access("s3:GetObject", "arn:aws:s3:::archives/shop/latest.zip"),
        access("s3:GetBucketVersioning", "arn:aws:s3:::archives"),
        *(access("logs:PutLogEvents", f"{STREAMS}{name}") for name in ("one", "two")),
        *(access("ecs:StopTask", f"{TASKS}/{digit * 32}", OTHER) for digit in "ab"),
        access("ecs:StopTask", f"{TASKS}/2fd5afa8-46a0-47be-8b53-85270107c9c6", OTHER),
        *(access("iam:PassRole", role, OTHER) for role in (ROLE, OTHER)),
    ]

    assert render_accesses(found).splitlines() == [
        "13 accesses by 2 roles, none refused.",
        f"allowed shop-BuildRole-1: logs:PutLogEvents on {STREAMS}* (2)",
        "allowed shop-BuildRole-1: s3:GetBucketVersioning on arn:aws:s3:::archives",
        "allowed shop-BuildRole-1: s3:GetObject on arn:aws:s3:::archives/shop/latest.zip",
        f"allowed shop-BuildRole-1: s3:GetObject, s3:PutObject on {ARTIFACTS}/* (3)",
        f"allowed shop-TaskRole: ecs:StopTask on {TASKS}/* (3)",
        f"allowed shop-TaskRole: iam:PassRole on {ROLE}",
        f"allowed shop-TaskRole: iam:PassRole on {OTHER}",
    ]


def test_each_refusal_has_its_line_before_all_else() -> None:
    found = [
        access("ecr:PutImage", "arn:aws:ecr:eu-west-1:000000000000:repository/shop"),
        *(access("s3:GetObject", f"{ARTIFACTS}/{key}", allowed=False) for key in ("a1", "b2")),
    ]

    assert render_accesses(found).splitlines()[:3] == [
        "3 accesses by 1 role, 2 refused.",
        f"REFUSED shop-BuildRole-1: s3:GetObject on {ARTIFACTS}/a1",
        f"REFUSED shop-BuildRole-1: s3:GetObject on {ARTIFACTS}/b2",
    ]
