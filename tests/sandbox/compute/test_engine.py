"""The process engine as ministack's ECS uses it: images by digest, containers as processes."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound, NotFound

from sink_sandbox.containers.process import ProcessEngine

from .conftest import Docker, Emulator, eventually, write_tree


@pytest.fixture
def engine(emulator: Emulator, state_dir: Path) -> Iterator[ProcessEngine]:
    found = ProcessEngine(state_dir, emulator.endpoint_url)
    yield found
    found.stop_all(timeout_s=1)


def open_url(host: str, port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.request("GET", "/")
    return dict(json.loads(connection.getresponse().read()))


def ask(engine: ProcessEngine, container: Any) -> dict[str, Any]:
    """What the container's process answers over HTTP, found by its address."""

    def get() -> dict[str, Any] | None:
        address = container.attrs["NetworkSettings"]["Networks"]["the-sink"]["IPAddress"]
        target = engine.resolve_target(address, 8080)
        assert target is not None, container.logs().decode()
        try:
            return open_url(*target)
        except OSError:
            return None

    return dict(eventually(get))


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    except FileNotFoundError:
        pass
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_container_serves_the_pushed_image_and_stops_on_sigterm(
    engine: ProcessEngine, app: str, docker: Docker
) -> None:
    digest = engine.images.get_registry_data(app).id
    container = engine.containers.run(
        f"{app.rpartition(':')[0]}@{digest}",
        detach=True,
        environment={"SHOWN": "yes", "PORT": "8080"},
        labels={"ministack": "ecs"},
        name="ministack-ecs-1",
    )

    answer = ask(engine, container)

    assert answer["version"] == "one"
    assert answer["venv"] == "a==1\n"
    assert answer["shown"] == "yes"
    assert container.status == "running"
    assert container.attrs["NetworkSettings"]["Networks"]["the-sink"]["IPAddress"].startswith("10.77.")
    container.stop(timeout=60)
    assert container.status == "exited"
    assert container.wait() == {"StatusCode": 0, "Error": None}
    assert not is_alive(answer["pid"])
    assert b"stopping\n" in container.logs()
    assert engine.resolve_target(container.facts.address, 8080) is None
    folder = container.facts.folder
    container.remove(v=True)
    assert not folder.exists()
    with pytest.raises(NotFound):
        engine.containers.get(container.id)


def test_pull_refuses_what_the_registry_lacks(engine: ProcessEngine, repository: str) -> None:
    with pytest.raises(NotFound, match="is not in the registry"):
        engine.images.pull(f"{repository}:nothing")
    with pytest.raises(NotFound, match="does not exist in the registry"):
        engine.images.pull(f"{repository}-other:nothing")
    with pytest.raises(NotFound, match="manifest unknown"):
        engine.images.get_registry_data(f"{repository}:nothing")
    with pytest.raises(ImageNotFound):
        engine.images.get(f"{repository}:nothing")
    with pytest.raises(NotFound):
        engine.containers.run(f"{repository}:nothing", detach=True)
    assert engine.containers.list(all=True) == []


def test_pulled_image_can_be_named_again(engine: ProcessEngine, app: str) -> None:
    repository = app.rpartition(":")[0]
    digest = engine.images.get_registry_data(app).id
    assert engine.images.pull(f"{repository}@{digest}").tag(repository, tag="again")
    assert engine.images.get(f"{repository}:again").id == engine.images.get(f"{repository}@{digest}").id


def test_exit_code_and_log_of_a_container_that_ends(engine: ProcessEngine, app: str) -> None:
    container = engine.containers.run(app, ["exit", "7"], detach=True)

    assert container.wait(timeout=60)["StatusCode"] == 7
    assert container.logs() == b"leaving with 7\n"
    assert container.logs(tail=0) == b""
    assert container.attrs["State"]["ExitCode"] == 7
    assert engine.containers.list() == []
    assert [each.id for each in engine.containers.list(all=True)] == [container.id]


def test_log_is_followed_line_by_line_to_the_end(engine: ProcessEngine, app: str) -> None:
    container = engine.containers.run(app, detach=True)
    lines: list[bytes] = []
    follower = threading.Thread(target=lambda: lines.extend(container.logs(stream=True, follow=True)))
    follower.start()
    ask(engine, container)
    eventually(lambda: len(lines) >= 2)

    container.stop(timeout=60)
    container.remove()

    follower.join(60)
    assert not follower.is_alive()
    assert lines == [b"starting one\n", b"served /\n", b"stopping\n"]


def test_process_that_ignores_sigterm_is_killed_with_what_it_started(
    engine: ProcessEngine, app: str, tmp_path: Path
) -> None:
    """Even a helper in a session of its own, which no group signal reaches."""
    pids = tmp_path / "pids"
    container = engine.containers.run(app, ["stubborn", str(pids)], detach=True)
    main, helper = map(int, eventually(lambda: pids.exists() and pids.read_text().split()))

    container.stop(timeout=0.2)

    assert container.wait()["StatusCode"] == 128 + signal.SIGKILL
    assert container.logs(tail=1) == (
        b"[sandbox] SIGTERM has not ended the task within 0.2 s: it is killed (SIGKILL, exit code 137), "
        b"with all that it was answering.\n"
    )
    assert not is_alive(main)
    if Path("/proc/self").exists():
        assert not is_alive(helper)
    else:
        os.kill(helper, signal.SIGKILL)


def test_containers_are_listed_by_label(engine: ProcessEngine, app: str) -> None:
    one = engine.containers.run(app, ["exit", "0"], detach=True, labels={"ministack": "ecs", "boot": "1"})
    two = engine.containers.run(app, ["exit", "0"], detach=True, labels={"ministack": "ecs", "boot": "2"})

    def ids(labels: list[str]) -> set[str]:
        return {each.id for each in engine.containers.list(all=True, sparse=True, filters={"label": labels})}

    assert ids(["ministack=ecs"]) == ids(["boot"]) == {one.id, two.id}
    assert ids(["ministack=ecs", "boot=2"]) == {two.id}
    assert one.facts.address != two.facts.address
    with pytest.raises(APIError, match="does not filter by status"):
        engine.containers.list(filters={"status": "exited"})


def test_what_a_process_cannot_be_is_refused(engine: ProcessEngine, app: str) -> None:
    with pytest.raises(APIError, match="privileged"):
        engine.containers.run(app, detach=True, privileged=True)
    with pytest.raises(NotFound, match="executable file not found"):
        engine.containers.run(app, detach=True, entrypoint=["no-such-program"])
    assert not list((engine.state_dir / "containers").iterdir())


def test_volume_is_seen_under_its_path(engine: ProcessEngine, app: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("mounted\n")

    container = engine.containers.run(
        app, ["show", "/mnt/data/file"], detach=True, volumes=[f"{tmp_path / 'data'}:/mnt/data:ro"]
    )

    assert container.wait(timeout=60)["StatusCode"] == 0, container.logs()
    assert container.logs().startswith(b"mounted\n")
    container.remove()
    assert (tmp_path / "data" / "file").read_text() == "mounted\n"


def test_lost_environment_is_installed_again(engine: ProcessEngine, app: str, state_dir: Path) -> None:
    """A sandbox whose state was emptied still starts the images that the registry has."""
    shutil.rmtree(state_dir / "venvs")

    container = engine.containers.run(app, detach=True)

    assert ask(engine, container)["venv"] == "a==1\n"
    assert b"[sandbox] installed for nobody\n" in container.logs()


def test_environment_of_a_python_that_is_gone_is_installed_for_another(
    engine: ProcessEngine, docker: Docker, app: str, app_tree: Path, state_dir: Path
) -> None:
    """The image's label then names an environment that nobody can make any more."""
    docker.ok(
        "build",
        "--build-arg",
        f"FROM={app}",
        "--label",
        "the-sink.sandbox.venv=gone",
        "-t",
        "x",
        str(app_tree),
    )

    container = engine.containers.run("x", detach=True)

    assert ask(engine, container)["venv"] == "a==1\n"
    assert not (state_dir / "venvs" / "gone").exists()


def test_orphans_of_a_killed_sandbox_are_ended(
    engine: ProcessEngine, emulator: Emulator, app: str, state_dir: Path, tmp_path: Path
) -> None:
    """Where even the supervisor was killed, the next engine ends what is recorded, and nothing else."""
    pids = tmp_path / "pids"
    container = engine.containers.run(app, ["stubborn", str(pids)], detach=True)
    eventually(lambda: pids.exists() and pids.read_text())
    record = container.facts.folder / "process.json"
    roles = json.loads(record.read_text())
    stranger = dict(roles, owner=[roles["owner"][0], "somebody else"], main=[os.getpid(), "somebody else"])

    ProcessEngine(state_dir, emulator.endpoint_url)
    assert container.status == "running", "its owner lives"
    record.write_text(json.dumps(dict(stranger, supervisor=[os.getpid(), "not this process"])))
    ProcessEngine(state_dir, emulator.endpoint_url)
    assert container.status == "running", "no recorded process is the one that runs now"
    container.facts.folder.mkdir()
    record.write_text(json.dumps(dict(roles, owner=[roles["owner"][0], "somebody else"])))
    ProcessEngine(state_dir, emulator.endpoint_url)

    assert container.wait(timeout=60)["StatusCode"] == 128 + signal.SIGKILL
    eventually(lambda: not is_alive(roles["main"][0]))
    assert not container.facts.folder.exists()


def test_engine_answers_for_the_host_that_ecs_looks_for(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTNAME", "a-host")
    networks = engine.containers.get("a-host").attrs["NetworkSettings"]["Networks"]
    assert [network["IPAddress"] for network in networks.values()] == ["127.0.0.1"]


def test_two_images_of_one_lock_share_an_environment(
    docker: Docker, runtime: str, app: str, app_tree: Path, state_dir: Path
) -> None:
    write_tree(app_tree, {"version": "two\n"})
    said = docker.ok("build", "--build-arg", f"FROM={runtime}", "-t", "other", str(app_tree))
    assert said.count("CACHED") == 2
    assert len([path for path in (state_dir / "venvs").iterdir() if path.is_dir()]) == 1
