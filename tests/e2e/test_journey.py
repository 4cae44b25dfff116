"""The README's journey on the sandbox, and at each step what a person would check.

The steps build on one another, as they do for that person, so they are one test class with a shared
journey: each test looks at what its step left, through AWS's own APIs and over HTTP. The journey clones
HEAD but runs the platform's tasks from the working tree: commit before you trust it.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import pytest

import sink_sandbox
from demo.journey import APP
from demo.platform_change import BUILD_GREETING, NEW_PARAMETER, NEW_VALUE, TEAM_GREETING
from sink_sandbox.client import lifecycle
from tests.e2e import permissions, planted
from tests.e2e.processes import family_of, running
from tests.e2e.walks import Overheard, Walk, eventually, use_port
from the_sink.naming import PUBLICATIONS, Names, runtime_repository
from the_sink.resources import platform_version

NAMES = Names(APP, "stage")
PLANTED = planted.Planted()


@pytest.fixture(scope="class")
def compute() -> str:
    """What plays containers; ``tests/docker`` walks the same journey with an engine."""
    return "processes"


@pytest.fixture(scope="class")
def runtime() -> str:
    """The Python of the app."""
    return "3.13"


@pytest.fixture(scope="class")
def walk(
    tmp_path_factory: pytest.TempPathFactory, compute: str, runtime: str, free_port: Any
) -> Iterator[Walk]:
    """A journey in a folder and on a sandbox of its own; the sandbox is stopped whatever happens."""
    state = tmp_path_factory.mktemp("state")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(state)
    use_port("e2e", free_port())
    journey = Overheard(tmp_path_factory.mktemp("walk") / "demo", "e2e", compute, runtime=runtime)
    try:
        yield Walk(journey)
    finally:
        lifecycle.stop("e2e")
        lifecycle.reset("e2e")  # its images would stay in the engine
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before


class TestJourney:
    where_secrets_are: ClassVar = {"state/secretsmanager.json", "containers/*/rootfs/app/.env"}

    def test_the_platform_stands(self, walk: Walk, runtime: str) -> None:
        """The stack is complete, its templates are published, a runtime image is in the registry."""
        walk.journey.start_sandbox()
        walk.journey.publish_platform()
        walk.journey.generate_app()
        walk.commits.append(walk.journey.head())

        keys = {o["Key"] for o in walk.client("s3").list_objects_v2(Bucket=walk.bucket)["Contents"]}
        assert {each.version_key(platform_version()) for each in PUBLICATIONS} <= keys
        assert {each.channel_key(1, "stage") for each in PUBLICATIONS} <= keys
        images = walk.client("ecr").describe_images(repositoryName=runtime_repository("the-sink"))
        assert runtime in {tag for image in images["imageDetails"] for tag in image.get("imageTags", [])}

    def test_a_deploy_before_bootstrap_says_what_to_run(self, walk: Walk) -> None:
        """Nothing is uploaded for an environment that has no pipeline."""
        refused = walk.invoke("deploy", "--env", "stage", "--sandbox")

        assert refused.returncode == 2
        assert "invoke bootstrap --env stage" in refused.stderr
        assert "Traceback" not in refused.stderr

    def test_bootstrap_leaves_a_pipeline_and_nothing_running(self, walk: Walk) -> None:
        """Registry, secret and pipeline exist; the pipeline waits for its first release."""
        walk.journey.bootstrap("stage")

        assert walk.client("ecr").describe_repositories(repositoryNames=[NAMES.repository])["repositories"]
        secret = walk.client("secretsmanager").get_secret_value(SecretId=NAMES.secret)
        assert json.loads(secret["SecretString"]) == {}
        stages = walk.client("codepipeline").get_pipeline(name=NAMES.pipeline)["pipeline"]["stages"]
        assert [stage["name"] for stage in stages] == ["Source", "Build", "Deploy"]
        executions = walk.client("codepipeline").list_pipeline_executions(pipelineName=NAMES.pipeline)
        assert all(e["status"] != "InProgress" for e in executions["pipelineExecutionSummaries"])

    def test_the_first_release_serves_its_commit(self, walk: Walk) -> None:
        """One execution, one archive version, one digest, and the commit in the body."""
        walk.journey.deploy("stage")
        commit = walk.commits[0]

        assert walk.version()["commit"] == commit
        archive = walk.archive(f"{APP}/{commit}.zip")
        assert archive == walk.archive(f"{APP}/latest.zip")
        release = json.loads(zipfile.ZipFile(BytesIO(archive)).read("release.json"))
        assert (release["app"], release["commit"]) == (APP, commit)
        assert self.digests(walk) == {self.pushed_digest(walk, commit)}

    def test_a_change_replaces_the_old_release(self, walk: Walk) -> None:
        """The new commit answers every request and no task of the old one is left."""
        walk.client("secretsmanager").put_secret_value(
            SecretId=NAMES.secret, SecretString=json.dumps({"PLANTED": PLANTED.value})
        )
        walk.journey.change_app()
        walk.commits.append(walk.journey.head())
        with planted.Arguments() as arguments:
            load = walk.journey.deploy_under_load("stage")
        walk.arguments = arguments.seen

        assert load.failed == 0, load.errors
        assert [json.loads(body)["commit"] for body in load.by_answer] == walk.commits
        answers = {walk.version()["commit"] for _ in range(20)}
        assert answers == {walk.commits[1]}
        assert self.digests(walk) == {self.pushed_digest(walk, walk.commits[1])}
        assert self.pushed_digest(walk, walk.commits[1]) != self.pushed_digest(walk, walk.commits[0])

    def test_a_secret_is_in_the_task_and_in_nothing_that_stays(self, walk: Walk) -> None:
        """Its one copy outside Secrets Manager is the running task's .env, for the task's user alone."""
        state = lifecycle.require(walk.journey.sandbox).state_dir
        found = PLANTED.find_below(state)

        assert {planted.pattern(place) for place in found} == self.where_secrets_are
        assert self.modes_in_tasks({state / place for place in found if place.endswith(".env")}) == ["0o400"]
        # The search sees what packs and compresses: the commit is in archives, layers, the state and logs.
        seen = walk.places(planted.Planted(walk.commits[1]))
        assert {"state/codepipeline.json", "state/cloudwatch_logs.json"} <= seen
        assert any(re.fullmatch(r"s3/.*\.zip!release\.json", place) for place in seen), seen
        assert any(re.fullmatch(r"registry/.*!app/release\.json", place) for place in seen), seen

    def test_no_process_was_given_the_secret_as_an_argument(self, walk: Walk) -> None:
        """While the release was built and rolled out; the moment when a container was given it was seen."""
        assert [line for line in walk.arguments if b"SINK_SECRET_CORE" in line]
        assert [line for line in walk.arguments if PLANTED.is_in(line)] == []

    def test_a_plan_does_not_name_the_secret(self, walk: Walk) -> None:
        """Neither for people nor for scripts; all that was said is looked through in the end."""
        for form in ([], ["--json"]):
            plan = walk.invoke("deploy", "--env", "stage", "--sandbox", "--again", "--dry-run", *form)
            assert plan.returncode == 0, plan.stderr

    def test_the_moving_tag_is_the_release_that_deployed_well(self, walk: Walk) -> None:
        """The repository's moving tag names the digest that serves."""
        image = walk.client("ecr").describe_images(
            repositoryName=NAMES.repository, imageIds=[{"imageTag": "latest"}]
        )["imageDetails"][0]

        assert image["imageDigest"] == self.pushed_digest(walk, walk.commits[1])

    def test_deploying_the_same_commit_again_changes_nothing(self, walk: Walk) -> None:
        """The release serves already: the tasks stay the ones they are."""
        before = {task["taskArn"] for task in walk.running_tasks()}

        again = walk.invoke("deploy", "--env", "stage", "--sandbox")

        assert again.returncode == 0, again.stderr
        assert {task["taskArn"] for task in walk.running_tasks()} == before

    def test_status_tells_a_script_what_serves(self, walk: Walk) -> None:
        """`status --json` is data on standard output alone."""
        status = walk.invoke("status", "--sandbox", "--json")

        assert status.returncode == 0, status.stderr
        assert walk.commits[1] in json.dumps(json.loads(status.stdout))
        stage = json.loads(status.stdout)["environments"][0]
        read = walk.client("logs").filter_log_events(logGroupName=stage["log_group"], filterPattern="version")
        assert any('"GET /version 200"' in event["message"] for event in read["events"])

    def test_status_names_what_runs_and_not_what_was_deployed_last(self, walk: Walk) -> None:
        """Somebody puts the first release back by hand, past the pipeline."""
        ecs = walk.client("ecs")
        service = ecs.describe_services(cluster=NAMES.cluster, services=[NAMES.service])["services"][0]
        revisions = ecs.list_task_definitions(familyPrefix=NAMES.task_family)["taskDefinitionArns"]
        before = self.pushed_digest(walk, walk.commits[0])
        first = next(arn for arn in revisions if self.image_of(ecs, arn).endswith(f"@{before}"))

        for revision, commit in ((first, walk.commits[0]), (service["taskDefinition"], walk.commits[1])):
            ecs.update_service(cluster=NAMES.cluster, service=NAMES.service, taskDefinition=revision)
            wanted = {self.pushed_digest(walk, commit)}
            eventually(lambda wanted=wanted: self.digests(walk) == wanted, seconds=60)
            told = walk.invoke("status", "--env", "stage", "--sandbox", "--json")
            assert f'"commit": "{commit}"' in told.stdout, told.stdout + told.stderr

    def test_uat_takes_the_release_that_serves_in_stage(self, walk: Walk) -> None:
        """The same archive, and the same image: the build takes it over."""
        walk.journey.bootstrap("uat")
        walk.journey.deploy("uat")

        assert walk.version("uat")["commit"] == walk.commits[1]
        assert walk.archive(f"{APP}/uat.zip") == walk.archive(f"{APP}/{walk.commits[1]}.zip")
        assert self.digests(walk, "uat") == self.digests(walk, "stage")
        # The log repeats each command's text too: only the line that a command wrote has the digest.
        (digest,) = self.digests(walk, "stage")
        taken = f"Taking over {digest} from {NAMES.repository}: nothing is built."
        assert taken in walk.build_log("uat")

    def test_going_back_is_asked_about(self, walk: Walk) -> None:
        """A script that names an older commit has nobody to ask: nothing happens."""
        refused = walk.invoke("deploy", "--env", "uat", "--commit", walk.commits[0], "--sandbox")

        older, newer = (commit[:8] for commit in walk.commits[:2])
        assert refused.returncode == 2
        assert f"{older} is older than {newer}, which serves in uat; go back?" in refused.stderr
        assert walk.version("uat")["commit"] == walk.commits[1]

    def test_prod_waits_for_an_approval(self, walk: Walk) -> None:
        """Somebody lets the run on, and prod serves what uat does, all of it under a boundary."""
        walk.journey.bootstrap("prod")
        walk.journey.deploy_with_approval("prod")

        names = Names(APP, "prod")
        actions = walk.client("codepipeline").list_action_executions(pipelineName=names.pipeline)
        approvals = [each for each in actions["actionExecutionDetails"] if each["stageName"] == "Approval"]
        assert [each["status"] for each in approvals] == ["Succeeded"]
        assert walk.version("prod")["commit"] == walk.commits[1]
        assert self.digests(walk, "prod") == self.digests(walk, "uat")
        iam = walk.client("iam")
        roles = [r["RoleName"] for r in iam.list_roles()["Roles"] if f"/{APP}/prod/" in r["Path"]]
        read = [iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"] for role in roles]
        bounded = [each["PermissionsBoundaryArn"] for each in read]
        own = f"arn:aws:iam::{lifecycle.ACCOUNT_ID}:policy/the-sink-{APP}-prod-boundary"
        assert bounded == [own] * len([*permissions.ROLES, "StackRole"])

    def test_the_platforms_change_arrives_beside_the_teams_own(self, walk: Walk) -> None:
        """Files that both have edited hold both; stage runs both, uat neither."""
        walk.journey.edit_app()
        walk.journey.change_platform()
        walk.journey.update_app()
        walk.commits.append(walk.journey.head())
        walk.journey.deploy("stage")

        app = walk.journey.app
        configuration = json.loads((app / "aws/cfn-template-configuration-stage.json").read_text())
        assert configuration["Parameters"]["TaskMemory"] == "1024"
        assert configuration["Parameters"][NEW_PARAMETER] == NEW_VALUE
        log = walk.build_log("stage")
        assert TEAM_GREETING in log
        assert BUILD_GREETING in log
        assert "greet" in walk.invoke("--list").stdout
        assert "TaskRoleName" in walk.invoke("outputs", "--env", "stage", "--sandbox").stdout
        assert walk.version()["template_version"] == "1.2.0"
        assert walk.log_retention_days("stage") == int(NEW_VALUE)
        assert walk.log_retention_days("uat") == 30

    def test_a_release_ahead_of_uats_platform_waits(self, walk: Walk) -> None:
        """It would fail in CloudFormation, after the build; it is refused before."""
        refused = walk.invoke("deploy", "--env", "uat", "--sandbox")

        assert refused.returncode == 2
        assert f"StackPython passes {NEW_PARAMETER}, no parameter of the platform's template in uat" in (
            refused.stderr
        )
        assert "invoke platform.promote --env uat --sandbox" in refused.stderr
        assert walk.version("uat")["commit"] == walk.commits[1]

    def test_the_platform_lets_its_change_on(self, walk: Walk) -> None:
        """uat follows, prod does not."""
        walk.journey.promote_platform("uat")
        walk.journey.deploy("uat")

        assert walk.version("uat")["commit"] == walk.commits[2]
        assert walk.log_retention_days("uat") == int(NEW_VALUE)
        assert walk.log_retention_days("prod") == 365

    def test_a_broken_release_leaves_the_old_one_serving(self, walk: Walk) -> None:
        """A build that fails ends in one cause and exit code 1; the service never notices."""
        dockerfile = walk.journey.app / "aws" / "Dockerfile"
        good = dockerfile.read_text()
        dockerfile.write_text(good + "\nRUN app-init does-not-exist\n")
        walk.journey.commit("Break the build")

        failed = walk.invoke("deploy", "--env", "stage", "--sandbox")
        dockerfile.write_text(good)
        walk.journey.commit("Mend the build")

        assert failed.returncode == 1, failed.stderr
        assert "Build" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert walk.version()["commit"] == walk.commits[-1]

    def test_a_permission_that_a_role_lacks_fails_its_action_and_is_named(self, walk: Walk) -> None:
        """The sandbox plays UpdateService under PipelineRole, as CodePipeline does."""
        iam = walk.client("iam")
        (role,) = (
            name
            for logical_id, name in permissions.roles_of(walk.client, NAMES.pipeline_stack)
            if logical_id == "PipelineRole"
        )
        (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        whole = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        cut = json.dumps(whole).replace('"ecs:UpdateService"', '"ecs:DescribeServices"')
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=cut)

        failed = walk.invoke("deploy", "--env", "stage", "--sandbox")
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(whole))

        assert failed.returncode == 1, failed.stderr
        *_, message, hint = failed.stderr.splitlines()
        service = f"service/{NAMES.cluster}/{NAMES.service}"
        assert "failed in Deploy/UpdateService: the role PipelineRole " in message
        assert f"lacks ecs:UpdateService on arn:aws:ecs:{walk.region}:000000000000:{service}." in message
        assert "stacks/python/pipeline.yml" in hint
        assert walk.version()["commit"] == walk.commits[-1]

    def test_every_permission_was_used_or_has_its_reason(self, walk: Walk) -> None:
        """All that happened until here, in three environments, under the roles that AWS would take."""
        accesses = sink_sandbox.accesses(walk.journey.sandbox)
        unplayed = permissions.UNPLAYED
        everything, unused = permissions.find_unused(walk.client, APP, ("stage", "uat", "prod"), accesses)

        refused = {access["action"] for access in accesses if not access["allowed"]}
        assert refused == {"ecs:UpdateService"}
        assert {role for role, _, _ in everything} == set(permissions.ROLES)
        assert unused - unplayed.keys() == set()
        assert unplayed.keys() - unused - permissions.WHERE_LAYERS_ARE_PACKED_ANEW == set()

    def test_everything_is_back_after_a_stop(self, walk: Walk) -> None:
        """Nothing runs after the stop; after a start the same release serves at the same address."""
        sandbox = lifecycle.require("e2e")
        processes = family_of(sandbox.pid)
        assert len(processes) > 1

        walk.journey.stop_sandbox()
        eventually(lambda: not processes & running(), seconds=60)

        lifecycle.start("e2e", port=sandbox.port, compute=sandbox.compute)
        eventually(lambda: walk.version()["commit"] == walk.commits[-1], seconds=60)
        assert walk.journey.url("stage") == walk.address

    def test_nothing_that_was_said_holds_the_secret(self, walk: Walk) -> None:
        """Plans, progress, results as text and as JSON, refusals, a failed build's last lines."""
        said = "\n".join(walk.journey.said)

        assert all(commit[:8] in said for commit in walk.commits)
        assert "failed in Build" in said
        assert '"steps"' in said
        assert not PLANTED.is_in(said.encode())

    def modes_in_tasks(self, env_files: set[Path]) -> list[str]:
        """The modes of the running tasks' .env; where tasks are processes these are files here."""
        return [oct(file.stat().st_mode & 0o777) for file in env_files]

    def image_of(self, ecs: Any, revision: str) -> str:
        definition = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
        return str(definition["containerDefinitions"][0]["image"])

    def digests(self, walk: Walk, env: str = "stage") -> set[str]:
        return {
            str(container["imageDigest"])
            for task in walk.running_tasks(env)
            for container in task["containers"]
        }

    def pushed_digest(self, walk: Walk, commit: str) -> str:
        images = walk.client("ecr").describe_images(repositoryName=NAMES.repository)["imageDetails"]
        return next(
            str(image["imageDigest"])
            for image in images
            if any(tag.startswith(commit) for tag in image.get("imageTags", []))
        )
