"""AWS's offline validator of templates and the rules of cdk-preflight, fetched once for this machine.

They are locked beside this file, each with its hashes, and lie in a folder of their own: the validator has no
wheel for every machine that the sandbox runs on, and cdk-preflight, of which only the rules are used, would
bring the CDK along (``docs/decisions/0019-the-template-validator.md``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from sink_host import uv
from sink_host.errors import SinkError
from sink_host.home import home
from sink_host.process import run

LOCK = Path(__file__).with_name("validator.lock")

_EVERY_SERVICE = "*"


class ValidatorUnavailable(SinkError):
    """The validator could not be fetched, or has no build for this machine."""


@cache
def lock_digest() -> str:
    """Return what tells one lock from another: no verdict of one counts for the other."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def cache_folder() -> Path:
    """Return where this user's copy is, whether it is there or not."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else home("XDG_CACHE_HOME") / ".cache"
    return root / "the-sink" / f"template-validator-{lock_digest()}"


def fetch_validator() -> Path:
    """Return the folder of the validator and its ``rules/``, fetched where it is missing.

    Raises:
        ValidatorUnavailable: uv's reason.
    """
    folder = cache_folder()
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="validator-") as scratch:
            made = Path(scratch) / "made"
            _install(made)
            _extract_rules(made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():  # another process may have been faster
                    raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ValidatorUnavailable(
            f"AWS's template validator cannot be kept in {folder}: {error}."
        ) from error
    return folder


def _install(target: Path) -> None:
    command = [
        uv.find_uv(),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]
    command += ["--python", sys.executable, "--target", str(target), "--requirements", LOCK.name]
    done = run(command, LOCK.parent)
    if done.code:
        raise ValidatorUnavailable(
            f"AWS's template validator could not be fetched: {_reason(done.error_text)}.",
            "It needs the package index, and Linux with glibc 2.34 or newer, or macOS.",
        )


def _reason(said: str) -> str:
    """The innermost cause that uv names; what follows are hints."""
    causes = re.findall(r"^\s*(?:error|cause): (.+)", said, re.MULTILINE)
    return str(causes[-1] if causes else said.strip() or "uv gave no reason").rstrip(".:")


def _extract_rules(folder: Path) -> None:
    """Take the rules out of the archive inside cdk-preflight, service by service, and leave the rest away.

    A template has few services, and all the rules take as long to be read as to be compiled.
    """
    package = folder / "cdk_preflight"
    (archive,) = (package / "_jsii").glob("*.jsii.tgz")
    with tarfile.open(archive) as opened:
        text = _member(opened, "package/lib/rules.generated.js").decode()
        licence = _member(opened, "package/LICENSE")
    rules = _array(text, "BUNDLED_RULES")
    target = folder / "rules"
    target.mkdir()
    (target / "LICENSE").write_bytes(licence)
    services = {service for rule in rules for service in _services(rule["resourceTypes"])}
    for service in services:
        of_service = [
            {"id": rule["id"], "types": rule["resourceTypes"], "rego": rule["rego"]}
            for rule in rules
            if service in _services(rule["resourceTypes"]) and not _is_superseded(rule)
        ]
        (target / f"{rules_file(service)}").write_text(json.dumps(of_service), encoding="utf-8")
    shared = [{"id": each["name"], "rego": each["rego"]} for each in _array(text, "BUNDLED_LIBS")]
    (target / "shared.json").write_text(json.dumps(shared), encoding="utf-8")
    shutil.rmtree(package)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file.read()


def _array(text: str, name: str) -> list[dict[str, Any]]:
    """The value of a JavaScript assignment that is JSON."""
    start = text.index("[", text.index(f"exports.{name} = ["))
    return list(json.JSONDecoder().raw_decode(text, start)[0])


def _services(types: Iterable[str]) -> set[str]:
    return {"::".join(each.split("::")[:2]) for each in types}


def rules_file(service: str) -> str:
    """Return the file of a service's rules: ``AWS-ECS.json`` for ``AWS::ECS``, ``every.json`` for ``*``."""
    return f"{'every' if service == _EVERY_SERVICE else service.replace('::', '-')}.json"


def _is_superseded(rule: dict[str, Any]) -> bool:
    """Whether the validator itself finds what the rule would."""
    since = rule.get("supersededBy", {}).get("engine", "")
    locked = re.search(r"^cloudformation-validate==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return bool(since and locked and _numbers(since) <= _numbers(locked[1]))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split("."))
