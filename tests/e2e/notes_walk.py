"""A journey of a service that keeps notes in a database, and the questions about those and its migrations."""

from __future__ import annotations

import json
import re
import tomllib
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from demo.journey import APP, fetch
from sink_sandbox.client import lifecycle
from tests.e2e import planted, walks
from tests.e2e.logs import read_group
from the_sink.naming import Names

SANDBOX = "e2e-database"

PLANTED = {"stage": planted.Planted(), "uat": planted.Planted()}
"""What the setting is that the service cannot do without."""

TEXT = "Kept since the first release"


class Walk(walks.Walk):  # type: ignore[misc]
    """A journey, and the questions about notes, migrations and logs."""

    note: Mapping[str, Any]
    """The note that everything else happens to."""

    @property
    def delivery(self) -> str:
        """How secrets arrive, by the app's settings."""
        settings = tomllib.loads((self.journey.app / "sink.toml").read_text())
        return str(settings["app"]["secrets_delivery"])

    def plant(self, env: str) -> None:
        """Put the environment's secret into Secrets Manager."""
        self.client("secretsmanager").put_secret_value(
            SecretId=Names(APP, env).secret, SecretString=json.dumps({"PLANTED": PLANTED[env].value})
        )

    def layers(self, env: str = "stage") -> tuple[list[bytes], bytes]:
        """The layers of the image that serves, as they were pushed, and its configuration and history."""
        (digest,) = self.images(env)
        image = self.client("ecr").batch_get_image(
            repositoryName=Names(APP, env).repository, imageIds=[{"imageDigest": digest}]
        )["images"][0]
        manifest = json.loads(image["imageManifest"])
        *layers, configuration = (
            (
                lifecycle.require(SANDBOX).state_dir / "registry" / each["digest"].replace(":", "/")
            ).read_bytes()
            for each in (*manifest["layers"], manifest["config"])
        )
        return layers, configuration

    def notes(self, env: str = "stage") -> list[dict[str, Any]]:
        """Every note, through the load balancer."""
        return list(json.loads(fetch(f"{self.address_of(env)}/notes")))

    def post_note(self, text: str) -> dict[str, Any]:
        """Keep a note, through the load balancer."""
        address = urlsplit(f"{self.address}/notes")
        request = urllib.request.Request(
            f"http://127.0.0.1:{address.port}{address.path}",
            json.dumps({"text": text}).encode(),
            {"Content-Type": "application/json", "Host": address.netloc},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            assert answer.status == 201
            return dict(json.load(answer))

    def is_kept(self) -> bool:
        """Whether the first note is there, unchanged, and no other."""
        return [(each["id"], each["text"]) for each in self.notes()] == [(self.note["id"], TEXT)]

    def address_of(self, env: str) -> str:
        """The environment's address, by its stack's output."""
        return str(self.address if env == "stage" else self.journey.url(env))

    def migrations(self, env: str = "stage") -> list[str]:
        """The steps that Alembic has taken in the environment, as the logs of its tasks tell them."""
        lines = self.group(Names(APP, env).log_group).splitlines()
        found = [re.search(r"Running upgrade (\w* -> \w+)", line) for line in lines]
        return sorted(each[1] for each in found if each)

    def images(self, env: str) -> set[str]:
        """The digests that the environment's tasks run."""
        tasks = self.running_tasks(env)
        return {str(container["imageDigest"]) for task in tasks for container in task["containers"]}

    def every_log(self) -> str:
        """All that CloudWatch has of every environment, build and task, and the sandbox's own log."""
        groups = self.client("logs").describe_log_groups()["logGroups"]
        logs = [self.group(group["logGroupName"]) for group in groups]
        return "\n".join([*logs, (lifecycle.require(SANDBOX).state_dir / "server.log").read_text()])

    def group(self, name: str) -> str:
        """All that a log group holds, one stream after the other."""
        return read_group(self.client("logs"), name)
