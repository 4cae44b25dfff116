"""What a role was refused, read from AWS's words, and where the permission belongs (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html; S3 quotes the resource.
_DENIED = re.compile(
    r"User: arn:[\w-]+:sts::\d+:assumed-role/(?P<role>[\w+=,.@-]+)/\S+ is not authorized to perform: "
    r"(?P<action>[\w-]+:\w+)(?: on resource: \"?(?P<resource>arn:[^\s\"]+|\*))?"
)

_PIPELINE = (
    "Allow it to {role} in the platform's stacks/python/pipeline.yml and release that; in the app run "
    "`invoke update`, `.venv/bin/pip install -r requirements-platform.txt` and "
    "`invoke bootstrap --env {env}{flags}`"
)
_PLACES = {
    "PipelineRole": _PIPELINE,
    "BuildRole": _PIPELINE,
    "EventRole": _PIPELINE,
    "StackRole": (
        "Allow it by a managed policy that additional_policies of sink.toml names (docs/how-to/"
        "add-a-resource.md), run `invoke bootstrap --env {env}{flags}`"
    ),
    "ExecutionRole": "Allow it to {role} in the platform's stacks/python/cfn-template.yml, publish that",
    "TaskRole": "Allow it by a policy in aws/cfn-template.yml for the nested stack's TaskRoleName, commit",
}
"""Where each role of a delivery gets its permissions, by its logical id."""

_SHORTEST = 6
"""CloudFormation cuts the logical id in a long role name; of fewer letters nothing is concluded."""


@dataclass(frozen=True)
class Refusal:
    """A role may not do something."""

    role_name: str
    action: str
    resource: str
    """Its ARN, ``*``, or "" where AWS does not name it."""

    @property
    def role(self) -> str:
        """The role as the templates call it, by its name where that is not to be seen."""
        return _logical_id(self.role_name) or self.role_name

    def __str__(self) -> str:
        """Return the refusal as a sentence."""
        what = f" on {self.resource}" if self.resource and self.resource != "*" else ""
        name = "" if self.role == self.role_name else f" ({self.role_name})"
        return f"the role {self.role}{name} lacks {self.action}{what}."

    def hint(self, env: str, flags: str) -> str:
        """Return what helps, as the beginning of a sentence.

        Args:
            env: The environment whose deploy it stopped.
            flags: What a command ends with to mean the same AWS.
        """
        place = _PLACES.get(self.role, "Allow it to the role {role}")
        return place.format(role=self.role, env=env, flags=flags)


def find_refusal(texts: Iterable[str]) -> Refusal | None:
    """Return the last refusal that is told of, if one is."""
    found = [match for text in texts for match in _DENIED.finditer(" ".join(text.split()))]
    if not found:
        return None
    last = found[-1]
    return Refusal(last["role"], last["action"], (last["resource"] or "").rstrip(".,;:)"))


def _logical_id(role_name: str) -> str:
    def shown(logical_id: str) -> int:
        lengths = range(len(logical_id), _SHORTEST - 1, -1)
        return next((length for length in lengths if f"-{logical_id[:length]}" in role_name), 0)

    best = max(_PLACES, key=shown)
    return best if shown(best) else ""
