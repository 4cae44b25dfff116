"""What a wheel brings: an app's environment bootstraps its pipeline from the files inside it.

Every other test runs the package from the checkout, where ``stacks/`` and ``runtimes/`` lie at the root and
a file that the wheel lacks would never be missed.
"""

from __future__ import annotations

import os
import shutil
import site
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = ("stacks", "runtimes")
STACK = "my-app-stage-pipeline"

PLATFORM = """
Resources:
  Bucket: { Type: AWS::S3::Bucket }
Outputs:
  PipelineS3Bucket:
    Value: !Ref Bucket
    Export: { Name: the-sink-PipelineS3Bucket }
  AccessLogsS3Bucket:
    Value: !Ref Bucket
    Export: { Name: the-sink-AccessLogsS3Bucket }
  RuntimeRepositoryName:
    Value: the-sink-python-runtime
    Export: { Name: the-sink-RuntimeRepositoryName }
  VpcId:
    Value: vpc-12345678
    Export: { Name: the-sink-VpcId }
"""

APP = {
    "sink.toml": """
[app]
name = "my-app"
[platform]
name = "the-sink"
[environments.stage]
region = "eu-west-1"
""",
    "tasks.py": "from the_sink.tasks import app_namespace\n\nnamespace = app_namespace()\n",
    "aws/cfn-template-configuration-stage.json": (
        '{"Parameters": {"AppName": "my-app", "AppEnv": "stage", "RuntimeVersion": "3.13"}, "Tags": {}}'
    ),
    "aws/cfn-template.yml": """
Parameters:
  AppName: { Type: String }
  AppEnv: { Type: String }
  RuntimeVersion: { Type: String }
Resources:
  Topic: { Type: AWS::SNS::Topic }
""",
}


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command and return its standard output; a failure shows what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel, and everything else from this run's own environment."""

    wheel: Path
    environment: Path
    checkout: Path
    """The copy that the wheel was built from."""

    def command(self, name: str) -> Path:
        return self.environment / "bin" / name

    def packages(self) -> Path:
        return next((self.environment / "lib").glob("python3*")) / "site-packages"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of this checkout, installed."""
    folder = tmp_path_factory.mktemp("packaging")
    uv = find_uv_bin()
    checkout = copy_sources(folder / "checkout")
    run(uv, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", cwd=checkout)
    (wheel,) = (folder / "dist").glob("*.whl")
    environment = folder / "venv"
    run(uv, "venv", "--quiet", "--python", sys.executable, environment, cwd=folder)
    python = environment / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel, cwd=folder)
    found = Installed(wheel, environment, checkout)
    # Dependencies are those of this run; a path is looked at after the environment's own packages.
    (found.packages() / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return found


def copy_sources(target: Path) -> Path:
    """Copy what git tracks or would add, as it is now: caches and builds must not end up in the wheel."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT)
    for name in listed.split("\0"):
        source = CHECKOUT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return target


def test_stacks_and_runtimes_are_in_the_wheel_with_their_modes(installed: Installed) -> None:
    expected = {
        f"the_sink/_resources/{path.relative_to(installed.checkout).as_posix()}": path.stat().st_mode & 0o777
        for folder in SHIPPED
        for path in (installed.checkout / folder).rglob("*")
        if path.is_file() and path.name != ".gitkeep"
    }
    with zipfile.ZipFile(installed.wheel) as wheel:
        found = {
            entry.filename: stat.S_IMODE(entry.external_attr >> 16)
            for entry in wheel.infolist()
            if entry.filename.startswith("the_sink/_resources/") and not entry.filename.endswith(".gitkeep")
        }

    assert found == expected
    for script in ("app-init", "container-init"):
        assert found[f"the_sink/_resources/runtimes/python/{script}"] == 0o755
        path = installed.packages() / "the_sink/_resources/runtimes/python" / script
        assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_the_package_finds_its_files_in_itself(installed: Installed, tmp_path: Path) -> None:
    said = run(
        installed.command("python"),
        "-c",
        "from the_sink.resources import platform_version, resource_path as path\n"
        "print(path('stacks/python/pipeline.yml'), path('runtimes/python/app-init'), platform_version())",
        cwd=tmp_path,
    ).split()

    inside = installed.packages() / "the_sink" / "_resources"
    assert said == [
        str(inside / "stacks/python/pipeline.yml"),
        str(inside / "runtimes/python/app-init"),
        installed.wheel.name.split("-")[1],
    ]


def test_an_app_is_bootstrapped_from_the_wheel(
    installed: Installed, sandbox: Any, aws: Any, tmp_path: Path
) -> None:
    """The stack's template is the wheel's: a mark that only the installed file has comes back from AWS."""
    template = installed.packages() / "the_sink/_resources/stacks/python/pipeline.yml"
    mark = "# only in the wheel\n"
    template.write_text(template.read_text() + mark)
    app = tmp_path / "my-app"
    for path, text in APP.items():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text(text)
    client = aws("cloudformation")
    client.create_stack(StackName="the-sink-platform", TemplateBody=PLATFORM)
    client.get_waiter("stack_create_complete").wait(
        StackName="the-sink-platform", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )

    said = run(
        installed.command("python"), "-m", "invoke", "bootstrap", "--env", "stage", "--sandbox", cwd=app
    )

    assert said.splitlines()[0] == f"Stack {STACK} is created."
    body = client.get_template(StackName=STACK)["TemplateBody"]
    assert str(body).endswith(mark)
    pipelines = aws("codepipeline").list_pipelines()["pipelines"]
    assert [each["name"] for each in pipelines] == [STACK]
