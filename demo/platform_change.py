"""The journey's two authors at work: the platform's next version, and the app team's own edits.

Both edit files as people do, in the same files, so that the update that brings the first to the second
has something to join. Used by :mod:`demo.journey` only.
"""

from __future__ import annotations

import re
from pathlib import Path

NEW_PARAMETER = "LogRetentionInDays"
"""The configuration parameter that the platform's next version brings."""

NEW_VALUE = "14"
"""What the template gives it in every environment: days."""

BUILD_GREETING = "Built by the platform's next version"
"""What the platform's new line in the buildspec writes into the build's log."""

TEAM_GREETING = "The team's own step"
"""What the team's own line in the same file writes there."""


def change_platform(checkout: Path, version: str) -> None:
    """Write the platform's next version into its checkout: stacks, buildspec, a configuration parameter.

    Args:
        checkout: A clone of the platform's repository; files in it change.
        version: The version that it becomes.
    """
    _replace(checkout / "pyproject.toml", r'^version = "[^"]+"$', f'version = "{version}"')
    stack = checkout / "stacks" / "python" / "cfn-template.yml"
    _replace(
        stack,
        r"^  RDSInstanceClass:\n",
        f"  {NEW_PARAMETER}:\n"
        "    Description: Days that the tasks' log is kept; 0 leaves the choice to the platform.\n"
        "    Type: Number\n"
        "    AllowedValues: [0, 1, 3, 5, 7, 14, 30, 60, 90, 180, 365]\n"
        "    Default: 0\n\n"
        r"\g<0>",
    )
    _replace(
        stack,
        r"^  HasDatabase: .*\n",
        rf'\g<0>  HasLogRetention: !Not [!Equals [!Ref {NEW_PARAMETER}, "0"]]\n',
    )
    _replace(
        stack,
        r"^      RetentionInDays: (.*)$",
        rf"      RetentionInDays: !If [HasLogRetention, !Ref {NEW_PARAMETER}, \1]",
    )
    _replace(
        checkout / "template" / "aws" / "buildspec.yaml",
        r"^  post_build:\n    commands:\n",
        rf'\g<0>      - echo "{BUILD_GREETING}"\n',
    )
    app_stack = checkout / "template" / "aws" / "cfn-template.yml.jinja"
    _replace(
        app_stack,
        r"^  RDSInstanceClass:\n",
        f"  {NEW_PARAMETER}:\n"
        "    Description: Days that the tasks' log is kept; 0 leaves the choice to the platform.\n"
        "    Type: Number\n"
        "    Default: 0\n\n"
        r"\g<0>",
    )
    _replace(
        app_stack, r"^( +)RDSInstanceClass: !Ref.*\n", rf"\1{NEW_PARAMETER}: !Ref {NEW_PARAMETER}\n\g<0>"
    )
    for configuration in (checkout / "template" / "aws").glob("*cfn-template-configuration-*.jinja"):
        _replace(configuration, r'^( +)"RDSInstanceClass":', rf'\1"{NEW_PARAMETER}": "{NEW_VALUE}",\n\g<0>')


def edit_app(app: Path) -> None:
    """Make the team's own edits in the generated app: a task, a build command, an output, a larger task.

    Args:
        app: The app's repository; files in it change.
    """
    _replace(
        app / "aws" / "buildspec.yaml",
        r"^  pre_build:\n    commands:\n",
        rf'\g<0>      - echo "{TEAM_GREETING}"\n',
    )
    _replace(
        app / "aws" / "cfn-template-configuration-stage.json", r'"TaskMemory": "512"', '"TaskMemory": "1024"'
    )
    _append(
        app / "aws" / "cfn-template.yml",
        "\n  TaskRoleName:\n    Description: The team's own output.\n"
        "    Value: !GetAtt StackPython.Outputs.TaskRoleName\n",
    )
    _append(
        app / "tasks.py",
        "\nfrom invoke import task  # noqa: E402\n\n\n"
        '@task\ndef greet(c):\n    """Say hello: the team\'s own task."""\n    c.run("echo hello")\n\n\n'
        "ns.add_task(greet)\n",
    )


def _replace(path: Path, pattern: str, replacement: str) -> None:
    """Replace the one place that ``pattern`` finds; both files are ours, so anything else is a mistake."""
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    if count != 1:
        raise AssertionError(f"{pattern!r} is in {path.name} {count} times, not once")
    path.write_text(text)


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text().rstrip("\n") + "\n" + text)
