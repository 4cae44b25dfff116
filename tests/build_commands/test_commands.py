"""Which calls a build makes of AWS and of Docker, and what it leaves."""

from __future__ import annotations

import json
import re
import stat

import pytest

from the_sink.diagnosis.build_log import find_missing_runtime
from the_sink.naming import commit_of_image_tag, runtime_repository

from .conftest import COMMIT, RUNTIME, SECRET_VALUE, Host


def tag_of(host: Host) -> str:
    """The tag of the release's image, by a build of it."""
    host.run()
    assert host.codes == [0, 0, 0, 0], host.err
    return host.image().partition(":")[2]


def with_moving(host: Host) -> Host:
    """Let a release have deployed well before."""
    host.tags("stage")["latest"] = "sha256:before"
    return host


def test_a_build_ends_with_the_image_of_its_commit(host: Host) -> None:
    calls = host.run()

    tag = host.image().partition(":")[2]
    assert host.codes == [0, 0, 0, 0], host.err
    assert commit_of_image_tag(tag) == COMMIT
    assert f"docker push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello-sink-stage:{tag}" in calls
    assert host.out.startswith("sink-build unpublished\n")


def test_a_registry_may_have_an_address_of_another_partition(host: Host) -> None:
    host.variables["ECR_REGISTRY"] = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"

    calls = host.run()

    addresses = {found for call in calls for found in re.findall(r"[\w.-]+\.dkr\.ecr\.[\w.-]+", call)}
    assert addresses == {"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"}


def test_a_build_asks_aws_five_times(host: Host) -> None:
    """Each call of the command line costs the better part of a second."""
    assert [call.split()[:3] for call in with_moving(host).run() if call.startswith("aws ")] == [
        ["aws", "ecr", "get-login-password"],
        ["aws", "ecr", "batch-get-image"],
        ["aws", "secretsmanager", "get-secret-value"],
        ["aws", "ecr", "batch-get-image"],
        ["aws", "ecs", "describe-clusters"],
    ]


@pytest.mark.parametrize("delivery", ["task", "image"])
def test_the_runtime_is_taken_by_the_digest_that_the_tag_names(host: Host, delivery: str) -> None:
    """A publish in between moves the runtime's tag: the image must be made from what its own tag says."""
    calls = host.deliver(delivery).run()

    bases = {found[1] for call in calls if (found := re.search(r"--build-arg FROM=(\S+)", call))}
    assert f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/runtime@{RUNTIME}" in bases
    assert not [base for base in bases if base.endswith(":3.13")]
    assert not [call for call in calls if "runtime:3.13" in call and "base.name" not in call]


def test_the_configuration_of_the_environment_names_the_runtime(host: Host) -> None:
    """A change of RuntimeVersion takes effect in the build that carries it."""
    file = host.sources / "aws/cfn-template-configuration-stage.json"
    file.write_text('{"Parameters": {"RuntimeVersion": "3.10"}}')
    host.state["repositories"]["runtime"]["3.10"] = "sha256:ten"

    calls = host.run()

    assert [call for call in calls if call.startswith("docker pull")] == [
        "docker pull 123456789012.dkr.ecr.eu-west-1.amazonaws.com/runtime@sha256:ten"
    ]


def test_the_secret_reaches_the_runtime_whole_and_no_argument(host: Host) -> None:
    calls = host.run()

    assert (host.world / "handed-on").read_text() == SECRET_VALUE
    assert (host.world / "password").read_text() == "password\n"
    assert not [call for call in calls if "planted" in call]
    assert "planted" not in host.out + host.err


def test_what_carries_over_holds_no_setting_and_is_nobody_elses(host: Host) -> None:
    host.run("login", "settings")

    (file,) = [path for path in host.folder.iterdir() if "planted" in path.read_text()]
    assert file.name == ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_binary_secret_has_no_settings(host: Host) -> None:
    host.state["secret"] = None

    host.run()

    assert host.codes == [0, 0, 0, 0], host.err
    assert (host.world / "handed-on").read_text() == ""


def test_settings_are_mounted_into_the_check_or_lie_in_the_image(host: Host) -> None:
    def checked(delivery: str) -> str:
        call = next(call for call in host.deliver(delivery).docker() if "container-init check" in call)
        return call.split(" hello-sink")[0]

    assert checked("task") == "run --rm -v FOLDER/.env:/app/.env:ro"
    assert checked("image") == "run --rm"


def test_the_mounted_settings_are_readable_for_the_services_user(host: Host) -> None:
    host.run()

    assert stat.S_IMODE(host.folder.joinpath(".env").stat().st_mode) == 0o444


def test_settings_come_as_a_secret_and_neither_as_an_argument_nor_as_a_context(host: Host) -> None:
    """A builder keeps what it copies from; a secret it keeps nowhere."""
    calls = host.deliver("image").docker()

    (adding,) = [call for call in calls if call.startswith("build --no-cache ")]
    assert " --secret id=env,src=FOLDER/.env " in adding
    assert adding.endswith(" FOLDER/adding-settings")
    assert (host.world / "mounted").read_text() == "KEY=a planted secret\n"
    assert not re.search(r"--build-arg (?!FROM=)", adding)


def test_settings_of_an_empty_secret_are_no_empty_file(host: Host) -> None:
    """``{}``, which a new pipeline has: Docker before 23 would mount nothing."""
    host.state["env"] = ""

    host.deliver("image").run()

    assert (host.world / "mounted").read_text() == "\n"


def test_another_version_of_the_secret_makes_another_image_only_where_it_is_inside(host: Host) -> None:
    task = tag_of(host)
    image = tag_of(host.deliver("image"))

    assert task != image


def test_the_moving_tag_is_pushed_only_where_there_is_none(host: Host) -> None:
    def pushed() -> list[str]:
        return [call.rpartition(":")[2] for call in host.docker() if call.startswith("push ")]

    tag, cache = (first := pushed())[:2]
    assert first == [tag, cache, "latest"]
    assert cache.startswith("cache-")
    with_moving(host)
    assert pushed() == [tag, cache]


def test_the_moving_tag_of_a_release_that_never_served_moves_on(host: Host) -> None:
    """The stack's first task runs it: a first release that failed could not be mended otherwise."""
    with_moving(host).state["services"] = 0

    assert host.docker()[-2:] == [
        f"tag {host.image()} hello-sink-stage:latest",
        "push hello-sink-stage:latest",
    ]


def test_a_role_that_may_not_ask_for_services_leaves_the_moving_tag(host: Host) -> None:
    with_moving(host).state["refused"] = {"describe-clusters": "AccessDeniedException"}

    assert host.docker()[-1] != "push hello-sink-stage:latest"
    assert "Whether hello-sink-stage-ecs-cluster has a service is not known: An error" in host.out


def test_the_release_that_serves_gets_its_settings_before_its_stack_takes_them_away(host: Host) -> None:
    """The app has changed to the delivery "image": the next task runs what the moving tag names."""
    moving = "hello-sink-stage:latest"

    def touched(delivery: str, **labels: str) -> list[str]:
        with_moving(host).labelled(moving, **labels)
        return [call.split()[0] for call in host.deliver(delivery).docker() if moving in call]

    ours = {"org.opencontainers.image.base.digest": RUNTIME}
    assert touched("image", **ours) == ["pull", "inspect", "build", "push"]
    assert touched("image", **ours, **{"the-sink.secrets-delivery": "image"}) == ["pull", "inspect"]
    assert touched("image") == ["pull", "inspect"]
    assert touched("task", **ours) == []


def test_what_fails_in_the_build_is_not_pushed(host: Host) -> None:
    host.state["failing"] = {"-f aws/Dockerfile": 1}

    calls = host.run()

    assert host.codes == [0, 0, 1]
    assert not [call for call in calls if call.startswith("docker push")]
    assert host.err.splitlines()[-1] == "sink-build image: docker build ended with exit code 1."


@pytest.mark.parametrize(
    ("platform", "architecture"), [("the-sink", "ARM64"), ("the-sink", "X86_64"), ("plant-arm64", "X86_64")]
)
def test_a_python_that_the_platform_has_not_is_one_sentence(
    host: Host, platform: str, architecture: str
) -> None:
    host.variables["PLATFORM_ECR_REPOSITORY"] = repository = runtime_repository(platform, architecture)
    host.state["repositories"][repository] = {}

    host.run()

    assert host.codes == [1]
    assert host.err == (
        "sink-build login: The platform has no runtime image for Python 3.13, which "
        "aws/cfn-template-configuration-stage.json asks for. In the platform's repository: "
        f"invoke runtimes.publish --runtime 3.13 --architecture {architecture}\n"
    )
    assert find_missing_runtime(host.err.splitlines()) == ("3.13", f" --architecture {architecture}")


REFUSED = "An error occurred ({}) when calling the Call operation: not today."


@pytest.mark.parametrize(
    ("part", "code", "said"),
    [
        ("get-login-password", "AccessDeniedException", f"login: {REFUSED}"),
        ("get-secret-value", "AccessDeniedException", f"settings: {REFUSED}"),
        (
            "get-secret-value",
            "ResourceNotFoundException",
            f"settings: There is no secret hello-sink-stage-secret-core: {REFUSED} Make or restore it: "
            "invoke bootstrap --env stage; then deploy again.",
        ),
    ],
)
def test_what_aws_refuses_is_one_sentence(host: Host, part: str, code: str, said: str) -> None:
    host.state["refused"] = {part: code}

    host.run()

    assert host.codes[-1] == 1
    assert host.err == f"sink-build {said.format(code)}\n"


def test_settings_that_the_runtime_refuses_are_left_nowhere(host: Host) -> None:
    host.state["failing"] = {"container-init env": 3}

    host.run()

    assert host.codes == [0, 1]
    assert host.err.splitlines()[-1] == (
        "sink-build settings: The runtime makes no .env of the secret hello-sink-stage-secret-core: "
        "container-init env ended with exit code 3."
    )
    assert not host.folder.joinpath(".env").exists()


def test_an_image_that_does_not_start_is_one_sentence(host: Host) -> None:
    host.state["failing"] = {"container-init check": 1}

    host.run()

    assert host.err.splitlines()[-1] == (
        "sink-build image: The image does not start with the settings of stage: container-init check ended "
        "with exit code 1."
    )


@pytest.mark.parametrize("name", ["PLATFORM_BUCKET", "APP_NAME", "SECRETS_DELIVERY"])
def test_a_pipeline_that_is_older_than_the_program_is_bootstrapped(host: Host, name: str) -> None:
    del host.variables[name]

    host.run()

    assert host.err == (
        f"sink-build login: The pipeline does not set {name}. Bring it up to date, in the app's repository: "
        "invoke bootstrap --env stage; then deploy again.\n"
    )


@pytest.mark.parametrize(("command", "needs"), [("settings", "login"), ("image", "login"), ("push", "image")])
def test_commands_have_an_order(host: Host, command: str, needs: str) -> None:
    host.run(command)

    assert host.err == (
        f"sink-build {command}: `sink-build {needs}` has not run in this build. The order in "
        "aws/buildspec.yaml is: sink-build login, settings, image, push.\n"
    )


def test_a_command_takes_no_argument(host: Host) -> None:
    host.run("push --quiet")

    assert host.err == (
        "sink-build push: It takes no argument, and was given '--quiet'. Use: sink-build push\n"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no release.json in {}. sink-build runs in the root of a release's archive; "),
        ("{", "release.json is not JSON: "),
        ("[]", "release.json is not a JSON object. "),
        ("{}", "release.json names no commit. Deploy with `invoke deploy`, which writes it.\n"),
    ],
)
def test_an_archive_that_no_deploy_made_is_one_sentence(host: Host, content: str | None, said: str) -> None:
    file = host.sources / "release.json"
    file.unlink() if content is None else file.write_text(content)

    host.run()

    assert host.codes == [1]
    assert host.err.startswith(f"sink-build login: {said.format(host.sources)}")
    assert host.err.count("\n") == 1


def test_a_folder_that_is_not_there_is_one_sentence(host: Host) -> None:
    host.variables["SINK_BUILD_FOLDER"] = "/no/such/folder"

    host.run()

    assert host.err == (
        "sink-build login: SINK_BUILD_FOLDER names no folder. The first command of a generated "
        "aws/buildspec.yaml makes it and exports its name; restore it.\n"
    )


def test_a_host_without_docker_is_one_sentence(host: Host) -> None:
    (host.world / "docker").unlink()
    host.variables["PATH"] = str(host.world)

    host.run()

    assert host.err == (
        "sink-build login: There is no program docker here. Use a build image of the platform's "
        "BuildProject: it has aws and docker.\n"
    )


def test_the_image_says_what_it_is(host: Host) -> None:
    calls = host.docker()

    (build,) = [call for call in calls if call.startswith("build ") and "--label" in call]
    labels = dict(re.findall(r"--label (\S+?)=(\S+)", build))
    assert labels == {
        "org.opencontainers.image.title": "hello-sink",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.base.name": "runtime:3.13",
        "org.opencontainers.image.base.digest": RUNTIME,
        "the-sink.template-version": "1.2.3",
    }
    assert json.loads((host.folder / "login.json").read_text())["commit"] == COMMIT
