"""An app of the legacy platform deploys with its ``aws/`` folder untouched.

What is put beside that folder is what docs/how-to/move-an-app-from-the-legacy-platform.md says. It is named
as that platform's own public app, and as the platform is: the-sink. The steps build on one another;
``tests/docker`` takes them with an engine.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest

from demo.journey import Journey, fetch
from sink_sandbox.client import lifecycle
from tests.e2e.logs import read_group
from the_sink.naming import Names

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).resolve().parents[2]
FIXTURE = CHECKOUT / "tests" / "fixtures" / "legacy_app"
PAGE = CHECKOUT / "docs" / "how-to" / "move-an-app-from-the-legacy-platform.md"
SANDBOX = "e2e-legacy"
REGION = "eu-west-1"
NAMES = Names("the-sink", "stage")

PARAMETERS = {
    "PlatformName": "the-sink",
    "AppName": "the-sink",
    "AppEnv": "stage",
    "RuntimeVersion": "3.11",
    "TaskCpu": "256",
    "TaskMemory": "512",
    "TaskEphemeralStorage": "21",
    "EcsAlbIdleTimeout": "60",
    "InstancesCount": "1",
    "EcrTag": "latest",
    "RDSInstanceClass": "db.t4g.micro",
    "RDSStorageType": "gp2",
    "RDSAllocatedStorage": "20",
    "RDSEngineVersion": "16.3",
    "UniqueDomainName": "",
    "UniqueDomainNameCertificateArn": "",
}
"""All that such an app passes to the platform's stack."""

SECRET = {"GREETING": "it costs 5 # or more", "SECRET_KEY": "a=b", "QUOTED": '"hi"', "COUNT": 5}
KEY = "-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----"
"""A file that is secret, which the build pulls from a secret of its own."""
READ = {"GREETING": "it costs 5", "SECRET_KEY": "a=b", "QUOTED": "hi", "COUNT": "5"}
"""What jq writes of the secret without quotes, as python-dotenv reads it."""


class Move:
    """The app in a folder of its own, on a sandbox of its own."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.app = journey.folder / "moved-app"
        self.commits: list[str] = []

    def invoke(self, *words: str) -> str:
        """Run a task in the app and return what it printed; its log is shown if it fails."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a task in the app."""
        return subprocess.run(
            ["invoke", *words],
            cwd=self.app,
            env=self.journey.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *words: str) -> str:
        return self.journey.output(["git", *words], cwd=self.app).strip()

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.commits.append(self.git("rev-parse", "HEAD"))

    def client(self, service: str) -> Any:
        sandbox = lifecycle.require(SANDBOX)
        return boto3.client(
            service,
            endpoint_url=sandbox.endpoint_url,
            region_name=REGION,
            aws_access_key_id=lifecycle.ACCOUNT_ID,
            aws_secret_access_key=sandbox.secret,
        )

    def about(self) -> Mapping[str, Any]:
        """What the service says of itself and of its settings, through the load balancer."""
        query = "&".join(f"setting={name}" for name in READ)
        return dict(json.loads(fetch(f"{self.address}/api/about?{query}")))

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        return dict(json.loads(self.invoke("outputs", "--env", "stage", "--sandbox", "--json")))

    @property
    def address(self) -> str:
        return f"http://{self.outputs['EcsAlbDNSName']}"

    def stage(self) -> Mapping[str, Any]:
        """What `status` says of stage."""
        (stage,) = json.loads(self.invoke("status", "--env", "stage", "--sandbox", "--json"))["environments"]
        return dict(stage)

    def log(self) -> str:
        """All that its tasks have written."""
        return read_group(self.client("logs"), NAMES.log_group)


@pytest.fixture(scope="module")
def compute() -> str:
    """What plays containers."""
    return "processes"


@pytest.fixture(scope="module")
def move(tmp_path_factory: pytest.TempPathFactory, compute: str) -> Iterator[Move]:
    """The fixture app in git, and a platform with the Python that it asks for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        journey = Journey(CHECKOUT, tmp_path_factory.mktemp("move"), SANDBOX, print, compute)
        move = Move(journey)
        shutil.copytree(FIXTURE, move.app)
        move.git("init", "--quiet", "--initial-branch", "main")
        move.commit("The app as it was")
        try:
            journey.start_sandbox()
            for words in (
                ["platform.bootstrap"],
                ["platform.publish"],
                ["runtimes.publish", "--runtime", "3.11"],
            ):
                journey.run(["invoke", *words, "--sandbox"], cwd=CHECKOUT)
            yield move
        finally:
            lifecycle.stop(SANDBOX)
            lifecycle.reset(SANDBOX)  # its images would stay in the engine


class TestLegacyApp:
    def test_three_files_beside_it_are_all_that_it_needs(self, move: Move) -> None:
        """The page's settings, but for how its pages are built: the fixture's need no npm."""
        (settings,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        settings = re.sub(r"^ {3}", "", settings, flags=re.MULTILINE)
        build = "mkdir -p app/client/build && cp app/client/index.html app/client/build/"
        settings = re.sub(r'before = ".*"', f'before = "{build}"', settings)
        settings = settings.replace('name = "tide-gauge"', f'name = "{NAMES.app}"')
        (move.app / "sink.toml").write_text(f'{settings}\n[sandbox]\nname = "{SANDBOX}"\n')
        shutil.copy(CHECKOUT / "template" / "tasks.py", move.app)
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=CHECKOUT, check=True, capture_output=True, text=True
        ).stdout.strip()
        pin = f"the-sink[sandbox] @ git+file://localhost{CHECKOUT}@{commit}\n"
        (move.app / "requirements-platform.txt").write_text(pin)
        (move.app / ".gitignore").write_text("/app/client/build/\n")
        move.commit("Move to the-sink")

        assert "The app's files are in order." in move.invoke("validate")

    def test_it_deploys_with_its_aws_folder_untouched(self, move: Move) -> None:
        move.invoke("bootstrap", "--env", "stage", "--sandbox")
        secrets = move.client("secretsmanager")
        secrets.put_secret_value(SecretId=NAMES.secret, SecretString=json.dumps(SECRET))
        secrets.create_secret(Name=f"{NAMES.app_stack}-secret-gauge-key", SecretString=KEY)
        move.invoke("deploy", "--env", "stage", "--sandbox")

        assert move.git("rev-parse", f"{move.commits[0]}:aws") == move.git("rev-parse", "HEAD:aws")
        assert not list((move.app / "aws").rglob("*.env"))
        about = move.about()
        assert about["settings"] == READ
        # As the command line prints it, with a line's end.
        assert about["key"] == sha256(f"{KEY}\n".encode()).hexdigest()
        assert (about["booted"], about["asserts"]) == ("yes", False)
        assert about["here"] == f"{move.address}/api/about"

    def test_its_migrations_have_run_and_its_pages_are_there(self, move: Move) -> None:
        assert json.loads(fetch(f"{move.address}/api/readings")) == [412]
        assert fetch(f"{move.address}/readings/today") == (FIXTURE / "app/client/index.html").read_text()

    def test_its_supervisor_programs_run(self, move: Move) -> None:
        assert "prune-uploads looked at 0 files for it costs 5" in move.log()

    def test_its_stack_gets_exactly_the_sixteen_parameters(self, move: Move) -> None:
        """Through the address of version 1.1; what came later keeps the defaults that suit such an app."""
        cloudformation = move.client("cloudformation")
        stack = cloudformation.describe_stacks(StackName=NAMES.app_stack)["Stacks"][0]
        nested = cloudformation.describe_stack_resource(
            StackName=NAMES.app_stack, LogicalResourceId="StackPython"
        )["StackResourceDetail"]["PhysicalResourceId"]
        inner = cloudformation.describe_stacks(StackName=nested)["Stacks"][0]
        given = {each["ParameterKey"]: each["ParameterValue"] for each in inner["Parameters"]}

        assert {each["ParameterKey"] for each in stack["Parameters"]} == set(PARAMETERS)
        assert {name: given.pop(name) for name in PARAMETERS} == PARAMETERS
        assert (given["SecretsDelivery"], given["EcsAlbScheme"]) == ("image", "internal")
        template = (move.app / "aws/cfn-template.yml").read_text()
        assert "stacks/python/cfn-template-v1.1.yml" in template
        outputs = {each["OutputKey"]: each["OutputValue"] for each in inner["Outputs"]}
        assert move.outputs == {"EcsAlbDNSName": outputs["EcsAlbDNSName"]}

    def test_its_one_tag_does_not_hide_what_runs(self, move: Move) -> None:
        """The image names no commit; the run whose build pushed it does."""
        first = move.commits[-1]
        assert move.stage()["commit"] == first
        source = move.app / "app/server/src/api/__init__.py"
        source.write_text(source.read_text().replace("The tide gauge", "The newer tide gauge"))
        move.commit("Say that it is newer")

        move.invoke("deploy", "--env", "stage", "--sandbox")

        assert move.stage()["commit"] == move.commits[-1]
        images = move.client("ecr").describe_images(repositoryName=NAMES.repository)["imageDetails"]
        assert [image["imageTags"] for image in images if image.get("imageTags")] == [["latest"]]

    def test_a_release_that_cannot_boot_is_not_taken_for_what_runs(self, move: Move) -> None:
        """Its build has moved the tag all the same; what serves is the release before, and status says so."""
        source = move.app / "app/server/src/api/config.py"
        source.write_text(f"{source.read_text()}\nraise RuntimeError\n")
        move.commit("Break it")

        failed = move.run("deploy", "--env", "stage", "--sandbox")

        assert failed.returncode == 1, failed.stderr
        assert "container-init said: app-boot ended with exit code 1; the service is not started" in (
            failed.stderr
        )
        stage = move.stage()
        assert (stage["commit"], stage["execution"]["status"]) == (move.commits[-2], "Failed")
        assert move.about()["settings"] == READ

    def test_the_release_before_was_asked_to_end(self, move: Move) -> None:
        assert "Handling signal: term" in move.log()
