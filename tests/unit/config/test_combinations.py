"""Values that are refused together are found before a deploy is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from the_sink.checks.validation import check_app, load_tags
from the_sink.config import load_app

from .test_effective import set_values, unbounded, write_template

__all__ = ["unbounded"]

FILE = "aws/cfn-template-configuration-stage.json"
NO_CERTIFICATE = (
    "EcsAlbScheme is internet-facing, and the load balancer would have no certificate: what people send it "
    "could be read on its way."
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"EcsAlbScheme": "internet-facing"}, NO_CERTIFICATE),
        ({"EcsAlbScheme": "internet-facing", "UsePlatformCertificate": "true"}, ""),
        (
            {
                "EcsAlbScheme": "internet-facing",
                "UniqueDomainNameCertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1",
            },
            "",
        ),
        ({"EcsAlbScheme": "internal"}, ""),
        (
            {
                "RDSInstanceClass": "db.t4g.micro",
                "RDSAllocatedStorage": "25",
                "RDSMaxAllocatedStorage": "27",
            },
            "RDSMaxAllocatedStorage is 27, and RDSAllocatedStorage is 25: RDS lets storage grow only if it "
            "may grow by a tenth at least.",
        ),
        (
            {
                "RDSInstanceClass": "db.t4g.micro",
                "RDSAllocatedStorage": "25",
                "RDSMaxAllocatedStorage": "28",
            },
            "",
        ),
        ({"RDSInstanceClass": "db.t4g.micro", "RDSMaxAllocatedStorage": "0"}, ""),
        ({"RDSInstanceClass": "none", "RDSMaxAllocatedStorage": "21"}, ""),
    ],
)
def test_what_the_stack_or_aws_would_refuse_is_said(app: Path, values: dict[str, str], message: str) -> None:
    write_template(
        app,
        "".join(f"        {name}: !Ref {name}\n" for name in values),
        "".join(f"  {name}: {{Type: String}}\n" for name in values),
    )
    set_values(app, **values)

    found = [problem for problem in check_app(app) if not problem.is_warning]

    assert [problem.message for problem in found] == ([message] if message else [])
    assert all(FILE in problem.hint for problem in found)


def test_tags_are_those_of_the_environments_file(app: Path) -> None:
    document = json.loads((app / FILE).read_text())
    (app / FILE).write_text(json.dumps({**document, "Tags": {"CostCenterID": "4711"}}))

    assert load_tags(load_app(app), "stage") == {"CostCenterID": "4711"}
