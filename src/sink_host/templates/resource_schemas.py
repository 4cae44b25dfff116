"""What AWS publishes about its resource types and actions, as cfn-lint carries it.

Only the files are read, because loading cfn-lint takes seconds. Without cfn-lint beside this interpreter
every answer is empty.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_OTHER_REGION = "us-east-1"
"""Whose types stand in for a region's that is not listed, as cfn-lint has it."""


def resource_schema(resource_type: str, region: str) -> dict[str, Any]:
    """Return a type's schema from CloudFormation's registry; empty for a type that is not in it.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    """
    digest = _types(region).get(resource_type)
    return _resource(digest) if digest else {}


@cache
def service_authorization() -> dict[str, Any]:
    """Return AWS's Service Authorization Reference by service; names of actions in small letters.

    https://docs.aws.amazon.com/service-authorization/latest/reference/
    """
    return _read("AdditionalSpecs/Policies.json")


@cache
def _resource(digest: str) -> dict[str, Any]:
    return _read(f"schemas/resources/{digest}.json")


@cache
def _types(region: str) -> dict[str, str]:
    return _read(f"schemas/providers/{region}.json") or _read(f"schemas/providers/{_OTHER_REGION}.json")


def _read(name: str) -> dict[str, Any]:
    spec = find_spec("cfnlint")
    folders = spec.submodule_search_locations if spec else None
    try:
        found: dict[str, Any] = json.loads(Path(folders[0], "data", name).read_bytes()) if folders else {}
    except FileNotFoundError:
        return {}
    return found
