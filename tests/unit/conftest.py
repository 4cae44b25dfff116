"""A whole app in a folder, small enough to break one file at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

APP_FILES = {
    "tasks.py": '"""Tasks."""\nfrom the_sink.tasks import app_namespace\n\nns = app_namespace()\n',
    "sink.toml": """
[app]
name = "my-app"
[platform]
name = "the-sink"
[environments.stage]
region = "eu-west-1"
""",
    ".copier-answers.yml": "_commit: v1.0.0\n_src_path: https://git.example/platform.git\n",
    "requirements-platform.txt": f"the-sink[sandbox] @ git+https://git.example/platform.git@{'a' * 40}\n",
    "aws/buildspec.yaml": "version: 0.2\nphases:\n  build:\n    commands: [make]\n",
    "aws/Dockerfile": "ARG FROM\nFROM ${FROM}\n",
    "aws/cfn-template.yml": """
Parameters:
  PlatformName: {Type: String}
  AppName: {Type: String}
  AppEnv: {Type: String}
  RuntimeVersion: {Type: String}
  TaskCpu: {Type: String, Default: "256"}
  TaskMemory: {Type: String, Default: "512"}
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    Properties:
      RetentionInDays: 7
      LogGroupName: !Sub "/${PlatformName}/${AppName}/${AppEnv}/${RuntimeVersion}/${TaskCpu}/${TaskMemory}"
""",
    "aws/cfn-template-configuration-stage.json": json.dumps(
        {
            "Parameters": {
                "PlatformName": "the-sink",
                "AppName": "my-app",
                "AppEnv": "stage",
                "RuntimeVersion": "3.13",
                "TaskCpu": "256",
                "TaskMemory": "512",
            },
            "Tags": {"Name": "my-app"},
        }
    ),
    "app/Procfile": "web: python serve.py\n",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app in which nothing is wrong."""
    return write_app(tmp_path / "my-app")


@pytest.fixture(scope="session")
def make_app() -> Callable[[Path], Path]:
    """A function that writes such an app into a folder."""
    return write_app


def write_app(folder: Path) -> Path:
    """Write every file of the app into a new folder and return it."""
    for name, text in APP_FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
