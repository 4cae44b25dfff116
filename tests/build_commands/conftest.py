"""``sink-build`` run command by command: calls of ``aws`` and ``docker`` are answered from a table, not made.

That it builds, pushes and names an image is tested by executing whole pipelines; here is what no green
pipeline shows.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sink_build.cli import main
from the_sink.naming import Names

COMMIT = "c0ffee" * 6 + "c0ff"
RUNTIME = "sha256:" + "d" * 64
STAGE, UAT = Names("hello-sink", "stage"), Names("hello-sink", "uat")
SECRET_VALUE = '{"KEY": "a planted\\tsecret",\n "OTHER": "x"}'
COMMANDS = ("login", "settings", "image", "push")

TOOL = f"""#!{sys.executable} -IS
import json, os, pathlib, shutil, sys

world = pathlib.Path(os.environ["WORLD"])
name, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
line = " ".join([name, *words])
with (world / "calls").open("a") as calls:
    calls.write(line + "\\n")
state = json.loads((world / "state.json").read_text())


def option(flag):
    begin = words.index(flag) + 1
    end = next((n for n in range(begin, len(words)) if words[n].startswith("--")), len(words))
    return words[begin:end]


def refuse(code):
    sys.stderr.write(f"\\nAn error occurred ({{code}}) when calling the Call operation: not today\\n")
    sys.exit(254)


for part, code in state["refused"].items():
    if part in line:
        refuse(code)
if name == "aws":
    match words[:2]:
        case ["ecr", "get-login-password"]:
            print("password")
        case ["ecr", "batch-get-image"]:
            tags = state["repositories"].get(option("--repository-name")[0])
            if tags is None:
                refuse("RepositoryNotFoundException")
            ids = [each.partition("=") for each in option("--image-ids")]
            if option("--query")[0].startswith("failures"):
                print(json.dumps([tag for _, _, tag in ids if tag not in tags]))
            else:
                (kind, _, wanted), = ids
                held = tags if kind == "imageTag" else {{each: each for each in tags.values()}}
                print(json.dumps(held.get(wanted)))
        case ["secretsmanager", "get-secret-value"]:
            print(json.dumps(["version-1", state["secret"]]))
        case ["ecs", "describe-clusters"]:
            print(json.dumps(state["services"]))
        case ["s3api", "list-objects-v2"]:
            keys = [key for key in state["objects"] if key.startswith(option("--prefix")[0])]
            print(json.dumps(keys or None))
        case ["s3api", "get-object"]:
            pathlib.Path(option("--key")[1]).write_text(state["objects"][option("--key")[0]])
            print("{{}}")
        case _:
            sys.exit("an unknown call: " + line)
else:
    for part, code in state["failing"].items():
        if part in line:
            sys.stderr.write("docker: it fails\\n")
            sys.exit(code)
    if words[0] == "login":
        (world / "password").write_text(sys.stdin.read())
    elif "container-init env" in line:
        (world / "handed-on").write_text(os.environ["SINK_SECRET_CORE"])
        sys.stdout.write(state["env"])
    elif "--secret" in words:
        shutil.copy(option("--secret")[0].partition("src=")[2], world / "mounted")
    elif words[0] == "inspect":
        print(json.dumps(state["labels"].get(words[-1])))
"""


@dataclass
class Host:
    """A build host, and what AWS and Docker would answer there."""

    sources: Path
    folder: Path
    """Of the build, outside the sources."""
    world: Path
    state: dict[str, Any]
    variables: dict[str, str]
    out: str = ""
    err: str = ""
    codes: list[int] = field(default_factory=list)

    def promote(self) -> Host:
        """Make it a build for uat, which takes its releases from stage."""
        self.variables |= {"APP_ENV": "uat", "ECR_REPOSITORY": UAT.repository, "PROMOTED_FROM": "stage"}
        return self

    def deliver(self, how: str) -> Host:
        """Choose the delivery of settings: task or image."""
        self.variables["SECRETS_DELIVERY"] = how
        return self

    def run(self, *commands: str) -> list[str]:
        """Run commands up to the first that fails; return the calls that they made."""
        (self.world / "state.json").write_text(json.dumps(self.state))
        (self.world / "calls").write_text("")
        out, err, self.codes = io.StringIO(), io.StringIO(), []
        with contextlib.chdir(self.sources), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for command in commands or COMMANDS:
                self.codes.append(main(command.split(), self.variables))
                if self.codes[-1]:
                    break
        self.out, self.err = out.getvalue(), err.getvalue()
        return (self.world / "calls").read_text().splitlines()

    def docker(self, *commands: str) -> list[str]:
        """Run commands; return what docker was asked for, from the release's own image on."""
        calls = self.run(*commands)
        asked = [call.removeprefix("docker ") for call in calls if call.startswith("docker ")]
        return [self.short(call) for call in asked if "runtime@" not in call or call.startswith("build")][1:]

    def short(self, text: str) -> str:
        """Return a text without the registry's host and the build's folder."""
        return text.replace("123456789012.dkr.ecr.eu-west-1.amazonaws.com/", "").replace(
            str(self.folder), "FOLDER"
        )

    def tags(self, env: str) -> dict[str, str]:
        """What an environment's repository holds: digests by tag."""
        held: dict[str, str] = self.state["repositories"].setdefault(f"hello-sink-{env}", {})
        return held

    def has_released(self, env: str, tag: str, digest: str, at: str = "2026-11-02T10:00:00Z") -> None:
        """Write a release into an environment's ledger, and put its image into the repository."""
        record = {"image": {"tag": tag, "digest": digest}, "finished_at": at}
        key = f"releases/hello-sink/{env}/{COMMIT}/{len(self.state['objects'])}.json"
        self.state["objects"][key] = json.dumps(record)
        self.tags(env)[tag] = digest

    def has_admitted(self, env: str, digest: str) -> None:
        """Write that an image was admitted for the commit."""
        key = f"admissions/hello-sink/{env}/{COMMIT}/{digest.partition(':')[2]}.json"
        self.state["objects"][key] = "{}"

    def labelled(self, reference: str, **labels: str) -> None:
        """Give an image labels, by its address without the host."""
        address = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{reference}"
        self.state["labels"][address] = labels

    def image(self) -> str:
        """Return the image that imagedefinitions.json names, without the host."""
        ((definition),) = json.loads((self.sources / "imagedefinitions.json").read_text())
        assert definition["name"] == Names("hello-sink", self.variables["APP_ENV"]).container
        return self.short(definition["imageUri"])


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host that builds a release for stage with the delivery task; its service has been deployed before."""
    sources, folder, world = (tmp_path / name for name in ("sources", "folder", "world"))
    for each in (sources / "aws", sources / "app", folder, world):
        each.mkdir(parents=True)
    for tool in ("aws", "docker"):
        (world / tool).write_text(TOOL)
        (world / tool).chmod(0o755)
    (sources / "release.json").write_text(json.dumps({"commit": COMMIT, "template_version": "1.2.3"}))
    for env in ("stage", "uat"):
        (sources / f"aws/cfn-template-configuration-{env}.json").write_text('{"Parameters": {}}')
    (sources / "app/requirements.lock").write_text("flask==3.1.0\n")
    (sources / "aws/Dockerfile").write_text("FROM x\n")
    state: dict[str, Any] = {
        "repositories": {"runtime": {"3.13": RUNTIME}, "hello-sink-stage": {}, "hello-sink-uat": {}},
        "objects": {},
        "secret": SECRET_VALUE,
        "env": "KEY=a planted secret\n",
        "services": 1,
        "labels": {},
        "failing": {},
        "refused": {},
    }
    variables = {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCOUNT_ID": "123456789012",
        "APP_NAME": "hello-sink",
        "APP_ENV": "stage",
        "PLATFORM_BUCKET": "the-bucket",
        "PLATFORM_ECR_REPOSITORY": "runtime",
        "RUNTIME_VERSION": "3.13",
        "ECR_REPOSITORY": STAGE.repository,
        "ECR_TAG": "latest",
        "SECRETS_DELIVERY": "task",
        "SINK_BUILD_FOLDER": str(folder),
        "PATH": f"{world}{os.pathsep}{os.environ['PATH']}",
        "WORLD": str(world),
    }
    return Host(sources, folder, world, state, variables)
