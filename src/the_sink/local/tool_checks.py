"""What ``validate`` has to ask programs about: git at the template's source, and cfn-lint.

The other half of it only reads files and is :mod:`the_sink.checks.validation`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sink_host.process import run
from the_sink.checks.nested import check_passed, check_values, read_platform_stack
from the_sink.config import answers, platform_pin
from the_sink.config.environment_file import file_name, parse_environment_file
from the_sink.config.problems import Problem
from the_sink.config.settings import read_app
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.errors import InputError
from the_sink.local.template_source import check_folder, find_commit
from the_sink.naming import ENVIRONMENTS
from the_sink.resources import installed_commit, resource_path


def check_source(root: Path) -> list[Problem]:
    """Look for the app's template version at its source, where that is a repository on this machine.

    Copier names a commit of its own making when it renders uncommitted changes; nothing in the name
    shows it, and no update can start from a commit that exists nowhere.
    """
    found = _read(root / answers.FILE)
    parsed = answers.parse_answers(found) if found else None
    if parsed is None or not parsed.commit or not parsed.source.startswith(("/", "~")):
        return []
    try:
        source = Path(check_folder(parsed.source))
    except InputError as error:
        # A folder that is missing may be there on another machine, and nothing else needs it.
        return [Problem(answers.FILE, error.message.removeprefix(f"{answers.FILE}: "), error.hint, True)]
    commit = find_commit(source, parsed.commit)
    if commit is None:
        return [
            Problem(
                answers.FILE,
                f"_commit is {parsed.commit!r}, which {source} has not: uncommitted changes were rendered.",
                "Write the newest released tag that the app was made from as _commit, and commit.",
            )
        ]
    pin = platform_pin.parse_pin(_read(root / platform_pin.FILE))
    if pin is None or pin.commit == commit:
        return []
    message = f"it pins commit {pin.commit[:8]}, the template's {parsed.commit} is {commit[:8]}."
    return [Problem(platform_pin.FILE, message, "Both move together: invoke update.")]


def check_installed(root: Path) -> list[Problem]:
    """Hold the package that runs this against the one that the app pins."""
    return platform_pin.check_installed(_read(root / platform_pin.FILE), installed_commit())


def check_nested(root: Path, stack: str | None = None) -> list[Problem]:
    """Hold what the app passes to the platform's nested stack, and reads from it, against that stack.

    CloudFormation fails the update on a parameter too many or too few and on a value that is refused;
    cfn-lint does not look inside a template that lies in a bucket.

    Args:
        root: The app's.
        stack: The text of that stack's template; None for the installed package's, so of the pinned version.
    """
    template, problems = parse_template(_read(root / TEMPLATE_FILE))
    if problems:
        return []  # said by whoever reads that file first
    if stack is None:
        stack = resource_path("stacks/python/cfn-template.yml").read_text(encoding="utf-8")
    platform = read_platform_stack(stack)
    own, _ = read_parameters(template)
    found = check_passed(template, platform)
    for env in ENVIRONMENTS:
        if text := _read(root / file_name(env)):
            content, _ = parse_environment_file(text, file_name(env))
            found += check_values(env, template, own, content, platform)
    return list(dict.fromkeys(found))


def check_markers(root: Path) -> list[Problem]:
    """Look for what an unfinished merge has left in the files that git knows: markers, and copier's .rej.

    Nothing else in the app may fail on them: a marker in a README is committed unseen.
    """
    found = run(["git", "grep", "--line-number", "-I", "-E", "^(<{7}|>{7}) ", "--", "."], root)
    # One line for each file is enough, and its first marker is where to begin.
    first = {line.split(":", 2)[0]: line.split(":", 2)[1] for line in reversed(found.text.splitlines())}
    problems = [
        Problem(
            file,
            f"a conflict marker is left in line {line}.",
            "Choose what is to stand there, delete the markers, and git add the file.",
        )
        for file, line in sorted(first.items())
    ]
    rejected = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rej"], root)
    problems += [
        Problem(file, "an update could not place these lines.", "Put them where they belong, and delete it.")
        for file in rejected.text.splitlines()
    ]
    return problems


def find_cfn_lint() -> str | None:
    """Return the cfn-lint beside this interpreter, else the one on the PATH, else None."""
    beside = Path(sys.executable).parent / "cfn-lint"
    return str(beside) if beside.is_file() else shutil.which("cfn-lint")


def lint_template(root: Path, cfn_lint: str) -> list[Problem]:
    """Return what cfn-lint says of the app's template, informational findings aside."""
    if not (root / TEMPLATE_FILE).is_file():
        return []
    settings, _ = read_app(root)
    regions = sorted({each.region for each in settings.environments}) if settings else []
    # Without it cfn-lint holds everything against us-east-1.
    where = ["--regions", *regions] if regions else []
    done = run([cfn_lint, TEMPLATE_FILE, "--format", "json", *where], root)
    try:
        # It says nothing at all where there is nothing to say, and where it failed; its exit code tells.
        matches = json.loads(done.text) if done.text or done.code else []
    except json.JSONDecodeError:
        reason = (done.error_text or done.text).splitlines()
        message = f"cfn-lint ended with exit code {done.code}: {reason[-1] if reason else 'no word'}"
        return [Problem(TEMPLATE_FILE, message)]
    return [_lint_problem(match) for match in matches if match["Level"] in {"Error", "Warning"}]


def _lint_problem(match: Mapping[str, Any]) -> Problem:
    start = match["Location"]["Start"]
    return Problem(
        file=TEMPLATE_FILE,
        message=f"line {start['LineNumber']}: {match['Message'].rstrip('.')} ({match['Rule']['Id']}).",
        hint=match["Rule"].get("Source", ""),
        is_warning=match["Level"] == "Warning",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
