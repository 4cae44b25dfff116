"""A service with a database on the sandbox: what its notes and its migrations live through.

The steps build on one another, like those of ``test_journey.py``, whose walk they use. ``tests/docker``
takes the same steps with an engine, with the other framework and from the other delivery of secrets on: in
the middle of each walk the delivery changes, which a service that needs a secret setting must live through.
"""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

import sink_sandbox
from demo.journey import APP, fetch
from sink_sandbox.client import lifecycle
from tests.e2e import permissions
from tests.e2e.notes_walk import PLANTED, SANDBOX, TEXT, Walk
from tests.e2e.walks import Overheard, eventually
from the_sink.naming import Names

pytestmark = pytest.mark.long

NAMES = Names(APP, "stage")

OTHER = {"task": "image", "image": "task"}
MIGRATIONS = [" -> 0001", "0001 -> 0002"]
TOPIC = "arn:aws:sns:eu-west-1:000000000000:alarms"

BROKEN = '''"""A column for a table that nobody made."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the notes first, so that there is something to take back."""
    op.execute("UPDATE notes SET text = 'changed by a migration that failed'")
    op.add_column("nowhere", sa.Column("colour", sa.Text()))


def downgrade() -> None:
    """There is nothing to remove."""
'''

MIGRATION_FAILED = 'its last error: The database was not migrated: relation "nowhere" does not exist'


@pytest.fixture(scope="module")
def compute() -> str:
    """What plays containers."""
    return "processes"


@pytest.fixture(scope="module")
def answers() -> Mapping[str, str]:
    """What the template is told."""
    return {"framework": "flask", "database": "postgres", "secrets_delivery": "task"}


@pytest.fixture(scope="module")
def walk(
    tmp_path_factory: pytest.TempPathFactory, compute: str, answers: Mapping[str, str]
) -> Iterator[Walk]:
    """A journey in a folder and on a sandbox of its own; the sandbox is stopped whatever happens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        folder = tmp_path_factory.mktemp("walk") / "demo"
        try:
            yield Walk(Overheard(folder, SANDBOX, compute, answers=answers))
        finally:
            lifecycle.stop(SANDBOX)
            lifecycle.reset(SANDBOX)  # its images would stay in the engine


class TestDatabase:
    where_secrets_are: ClassVar = {"state/secretsmanager.json", "containers/*/rootfs/app/.env"}
    where_images_are: ClassVar = {"images/blobs/sha256/*!app/.env", "registry/sha256/*!app/.env"}

    def test_the_platform_stands(self, walk: Walk, compute: str, free_port: Any) -> None:
        """The app is what was answered and needs a setting, which the environment's secret holds."""
        # A port of its own: the other journey may be looking for the usual one at this moment.
        lifecycle.start(SANDBOX, port=free_port(), compute=compute)
        walk.journey.publish_platform()
        walk.journey.generate_app()
        settings = walk.journey.app / "app" / "src" / "hello_sink" / "settings.py"
        code = settings.read_text()
        settings.write_text(code.replace("    log_level:", "    planted: str\n    log_level:", 1))
        configuration = walk.journey.app / "aws" / "cfn-template-configuration-stage.json"
        document = json.loads(configuration.read_text())
        document["Parameters"].update(AlarmTopicArn=TOPIC, AlarmRollback="true", InstancesMaximum="3")
        configuration.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        walk.journey.commit("Need a setting, be told of trouble, scale")
        walk.journey.environment["PLANTED"] = "on this laptop"
        walk.journey.bootstrap("stage")
        walk.plant("stage")

        given = (walk.journey.app / ".copier-answers.yml").read_text()
        assert all(f"{name}: {value}\n" in given for name, value in walk.journey.answers.items())

    def test_a_first_release_whose_migration_fails_says_why(self, walk: Walk) -> None:
        """Its stack is rolled back with all that it had, the log too; what the migration said is told."""
        migration = walk.journey.app / "app" / "migrations" / "versions" / "0001_notes.py"
        good = migration.read_text()
        migration.write_text(good.replace("    op.", '    op.execute("LOCK TABLE nowhere")\n    op.', 1))
        walk.journey.commit("Lock a table that nobody made")

        failed = walk.invoke("deploy", "--env", "stage", "--sandbox")
        migration.write_text(good)
        walk.journey.commit("Lock nothing")

        assert failed.returncode == 1, failed.stderr
        assert r"The database was not migrated: relation \"nowhere\" does not exist" in failed.stderr
        assert MIGRATION_FAILED in failed.stderr.splitlines()[-2]
        assert "exit code 1" in failed.stderr
        assert "invoke deploy --env stage --sandbox --yes" in failed.stderr
        assert "Traceback" not in failed.stderr

    def test_the_first_release_migrates_and_keeps_a_note(self, walk: Walk) -> None:
        """The release step makes the table before anything serves; what is stored there comes back."""
        walk.journey.run(["invoke", "deploy", "--env", "stage", "--sandbox", "--yes"], cwd=walk.journey.app)
        walk.commits.append(walk.journey.head())

        assert walk.version()["commit"] == walk.commits[0]
        assert json.loads(fetch(f"{walk.address}/health")) == {"status": "ok"}
        eventually(lambda: walk.migrations() == [" -> 0001"], seconds=60)
        assert walk.notes() == []
        walk.note = walk.post_note(TEXT)
        assert json.loads(fetch(f"{walk.address}/notes/{walk.note['id']}")) == walk.note

    def test_alarms_and_autoscaling_are_there_and_said_to_do_nothing_here(self, walk: Walk) -> None:
        """All that the platform's stack can make for a service, in one that serves."""
        alarms = walk.client("cloudwatch").describe_alarms()["MetricAlarms"]
        (service,) = walk.client("ecs").describe_services(cluster=NAMES.cluster, services=[NAMES.service])[
            "services"
        ]
        simulated = " ".join(sink_sandbox.status(SANDBOX)["simulated"])

        names = "errors load-balancer-errors unhealthy-hosts healthy-hosts cpu memory"
        names += " database-storage database-connections"
        assert {a["AlarmName"] for a in alarms} == {f"{NAMES.alarms}/{name}" for name in names.split()}
        assert {tuple(a["AlarmActions"]) for a in alarms} == {(TOPIC,)}
        watched = service["deploymentConfiguration"]["alarms"]
        assert watched == {"alarmNames": [f"{NAMES.alarms}/errors"], "enable": True, "rollback": True}
        assert service["desiredCount"] == 1
        assert "AWS::CloudWatch::*: alarms are recorded" in simulated
        assert "AWS::ApplicationAutoScaling::*: a service is kept within its limits" in simulated

    def test_the_secret_is_where_its_delivery_says_and_nowhere_else(self, walk: Walk) -> None:
        """However it was delivered, the service can read it and nobody else."""
        self.check_secret(walk)

    def test_a_further_migration_rolls_out_under_the_note(self, walk: Walk) -> None:
        """A column is described in the code, its migration written by the task, read and committed."""
        store = walk.journey.app / "app" / "src" / "hello_sink" / "store.py"
        code = store.read_text()
        code = code.replace("    id: int\n", '    id: int\n    colour: str = "yellow"\n', 1)
        code = code.replace(
            "    text: Mapped[str] = mapped_column(Text)\n",
            "    text: Mapped[str] = mapped_column(Text)\n"
            '    colour: Mapped[str] = mapped_column(Text, server_default="yellow")\n',
            1,
        )
        store.write_text(code)
        written = walk.invoke("db.migration", "--message", "Notes have a colour")
        assert written.returncode == 0, written.stderr
        assert written.stdout == "app/migrations/versions/0002_notes_have_a_colour.py\n"
        walk.journey.commit("Notes have a colour")

        self.deploy(walk)

        assert walk.version()["commit"] == walk.commits[1]
        eventually(lambda: walk.migrations() == MIGRATIONS, seconds=60)
        assert walk.notes() == [{**walk.note, "colour": "yellow"}]

    def test_the_first_release_comes_back_to_a_database_ahead_of_it(self, walk: Walk) -> None:
        """It migrates nothing and serves the note; then the later one comes back."""
        walk.journey.run(
            ["invoke", "deploy", "--env", "stage", "--sandbox", "--commit", walk.commits[0], "--yes"],
            cwd=walk.journey.app,
        )

        assert walk.version()["commit"] == walk.commits[0]
        assert walk.notes() == [walk.note]
        said = "The database is ahead of this release (0002): nothing to migrate."
        eventually(lambda: said in walk.group(NAMES.log_group), seconds=60)
        assert walk.migrations() == MIGRATIONS

        walk.journey.deploy("stage")
        assert walk.version()["commit"] == walk.commits[1]

    def test_a_release_whose_migration_fails_never_serves(self, walk: Walk) -> None:
        """The deploy says what the migration said; the version before serves on, on its own tables."""
        broken = walk.journey.app / "app" / "migrations" / "versions" / "0003_nowhere.py"
        broken.write_text(BROKEN)
        walk.journey.commit("Add a column to a table that nobody made")

        failed = walk.invoke("deploy", "--env", "stage", "--sandbox")
        broken.unlink()
        walk.journey.commit("Take the migration back")

        assert failed.returncode == 1, failed.stderr
        assert r"The database was not migrated: relation \"nowhere\" does not exist" in failed.stderr
        assert MIGRATION_FAILED in failed.stderr.splitlines()[-2]
        assert "exit code 1" in failed.stderr
        assert "The version before serves on." in failed.stderr
        assert "Traceback" not in failed.stderr
        assert walk.version()["commit"] == walk.commits[1]
        assert walk.is_kept()

    def test_the_mended_commit_serves_and_takes_its_secret_the_other_way(self, walk: Walk) -> None:
        """After a migration that failed nothing is cleared away; the pipeline must know the delivery."""
        other = OTHER[walk.delivery]
        update = ["copier", "update", "--quiet", "--defaults"]
        walk.journey.run([*update, "--data", f"secrets_delivery={other}"], cwd=walk.journey.app)
        walk.journey.commit("Take the secret another way")

        refused = walk.invoke("deploy", "--env", "stage", "--sandbox")
        walk.journey.bootstrap("stage")
        self.deploy(walk)

        assert refused.returncode == 2
        assert refused.stderr.splitlines()[-1] == "First: invoke bootstrap --env stage --sandbox"
        assert walk.delivery == other
        assert walk.version()["commit"] == walk.commits[2]
        assert walk.is_kept()
        self.check_secret(walk)

    def test_a_task_that_ends_leaves_the_note(self, walk: Walk) -> None:
        """Another task takes its place and finds nothing to migrate."""
        (before,) = walk.running_tasks()
        walk.client("ecs").stop_task(cluster=NAMES.cluster, task=before["taskArn"])

        def is_replaced() -> bool:
            now = walk.running_tasks()
            return len(now) == 1 and now[0]["taskArn"] != before["taskArn"] and walk.is_kept()

        eventually(is_replaced, seconds=60)
        assert walk.migrations().count("0001 -> 0002") == 1

    def test_uat_has_a_database_of_its_own(self, walk: Walk) -> None:
        """The release of stage serves on tables that were made for it alone."""
        walk.journey.bootstrap("uat")
        walk.plant("uat")
        walk.journey.deploy("uat")

        assert walk.version("uat")["commit"] == walk.commits[2]
        assert walk.notes("uat") == []
        eventually(lambda: walk.migrations("uat") == MIGRATIONS, seconds=60)
        assert walk.is_kept()
        self.check_promoted_image(walk)

    def test_every_permission_of_the_tasks_roles_was_used(self, walk: Walk) -> None:
        """Those of a database too; what the other roles use, the walk of ``test_journey`` tells."""
        accesses = sink_sandbox.accesses(SANDBOX)
        everything, unused = permissions.find_unused(walk.client, APP, ("stage", "uat"), accesses)

        tasks = {each for each in everything if each[0] in ("ExecutionRole", "TaskRole")}
        assert ("ExecutionRole", "ReadDatabaseSecret", "secretsmanager:GetSecretValue") in tasks
        assert (tasks & unused) - permissions.UNPLAYED.keys() == set()
        assert [access for access in accesses if not access["allowed"]] == []

    def test_stop_and_start_keep_the_note(self, walk: Walk) -> None:
        """The database lies in the sandbox's state, like everything else there."""
        sandbox = lifecycle.require(SANDBOX)
        walk.journey.stop_sandbox()
        lifecycle.start(SANDBOX, port=sandbox.port, compute=sandbox.compute)

        # The sandbox is ready before its services are.
        eventually(walk.is_kept, seconds=60)
        eventually(lambda: walk.notes("uat") == [], seconds=60)
        said = "\n".join([walk.every_log(), *walk.journey.said]).encode()
        assert [env for env, secret in PLANTED.items() if secret.is_in(said)] == []

    def deploy(self, walk: Walk) -> None:
        """Deploy HEAD to stage, and remember it as one that serves."""
        walk.journey.deploy("stage")
        walk.commits.append(walk.journey.head())

    def check_secret(self, walk: Walk) -> None:
        """Look for the secret of stage everywhere, and find it where the delivery says."""
        secret = PLANTED["stage"]
        text, mode = self.env_file_of(walk)
        layers, configuration = walk.layers()
        found = [[place.partition("!")[2] for place in secret.find_in("", layer)] for layer in layers]
        had_images = "image" in (walk.delivery, walk.journey.answers["secrets_delivery"])

        assert secret.marker in text
        assert mode == "0o400"
        assert found == [*([[]] * (len(layers) - 1)), ["app/.env"] * (walk.delivery == "image")]
        if walk.delivery == "image":
            with tarfile.open(fileobj=io.BytesIO(layers[-1])) as last:
                assert oct(stat.S_IMODE(last.getmember("app/.env").mode)) == "0o400"
        assert not secret.is_in(configuration)
        assert walk.places(secret) == self.where_secrets_are | (
            self.where_images_are if had_images else set()
        )
        assert not secret.is_in(walk.every_log().encode())

    def env_file_of(self, walk: Walk, env: str = "stage") -> tuple[str, str]:
        """Text and mode of the running task's .env, which is a file below the sandbox's state."""
        state = lifecycle.require(walk.journey.sandbox).state_dir
        (place,) = [place for place in PLANTED[env].find_below(state) if place.endswith("/app/.env")]
        return (state / place).read_text(), oct((state / place).stat().st_mode & 0o777)

    def check_promoted_image(self, walk: Walk) -> None:
        """Without a secret inside, the image of stage runs in uat too; else uat has one with its own."""
        log = "\n".join(line for line in walk.build_log("uat").splitlines() if "echo" not in line)
        assert PLANTED["uat"].marker in self.env_file_of(walk, "uat")[0]
        if walk.delivery == "task":
            assert walk.images("stage") == walk.images("uat")
            assert f"from {NAMES.repository}: nothing is built." in log
        else:
            assert walk.images("stage").isdisjoint(walk.images("uat"))
            assert "nothing is built" not in log
            layers, _ = walk.layers("uat")
            assert [list(PLANTED["stage"].find_in("", layer)) for layer in layers] == [[]] * len(layers)
