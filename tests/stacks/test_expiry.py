"""What expires in buckets and registries, and that no release does which may serve again."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from the_sink.naming import PYTHON_RUNTIMES


def test_no_rule_expires_a_release(stack: Callable[..., Any]) -> None:
    """A release is a current object of the pipeline bucket; rules there touch superseded versions only."""
    bucket = stack("platform").properties("PipelineBucket")

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    for rule in bucket["LifecycleConfiguration"]["Rules"]:
        assert not {"ExpirationInDays", "ExpirationDate", "Transitions"} & rule.keys()
        assert "NoncurrentVersionExpiration" in rule


def test_the_image_that_serves_is_out_of_reach_of_expiry(stack: Callable[..., Any]) -> None:
    text = stack("pipeline", EcrTag="moving").properties("Repository")["LifecyclePolicy"][
        "LifecyclePolicyText"
    ]
    first, *others = json.loads(text)["rules"]

    assert first["rulePriority"] < min(rule["rulePriority"] for rule in others)
    assert first["selection"]["tagPatternList"] == ["moving"]
    assert first["selection"]["countNumber"] == 1


def test_build_caches_expire_among_themselves(stack: Callable[..., Any]) -> None:
    """They take no release's place, and no release is in reach of their rule."""
    text = stack("pipeline", EcrTag="moving").properties("Repository")["LifecyclePolicy"][
        "LifecyclePolicyText"
    ]
    _moving, caches, releases = json.loads(text)["rules"]
    (pattern,) = caches["selection"]["tagPatternList"]

    assert fnmatchcase("cache-0123456789abcdef", pattern)
    assert not fnmatchcase(f"{'c' * 40}-01234567", pattern)
    assert caches["selection"]["countNumber"] == 5
    assert releases["selection"] == {
        "tagStatus": "any",
        "countType": "imageCountMoreThan",
        "countNumber": 100,
    }


def test_runtimes_move_by_version_and_stay_by_build(stack: Callable[..., Any]) -> None:
    """``3.13`` moves, ``3.13-20260101-0123abcd`` never does; old builds go, each version's for itself."""
    repository = stack("platform").properties("RuntimeRepository")
    movable = [
        f["ImageTagMutabilityExclusionFilterValue"] for f in repository["ImageTagMutabilityExclusionFilters"]
    ]
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    expired = [r["selection"]["tagPatternList"] for r in rules if r["selection"]["tagStatus"] == "tagged"]

    assert repository["ImageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert [r["rulePriority"] for r in rules] == list(range(1, len(rules) + 1))
    for version in PYTHON_RUNTIMES:
        build = f"{version}-20260101-0123abcd"
        assert [m for m in movable if fnmatchcase(version, m)] == [version]
        assert [m for m in movable if fnmatchcase(build, m)] == []
        assert [p for p in expired if fnmatchcase(build, p[0])] == [[f"{version}-*"]]
        assert [p for p in expired if fnmatchcase(version, p[0])] == []
    assert len(expired) == len(PYTHON_RUNTIMES)
