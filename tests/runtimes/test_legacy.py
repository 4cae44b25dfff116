"""An app of the legacy platform is installed and started as its own files say."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sink_host import uv

from .conftest import Image, refusal

pytestmark = pytest.mark.long

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "legacy_app"
DEADLINE_S = 60


def lay_out(root: Path) -> Image:
    """Put the fixture's files where its Dockerfile puts them, and a built client beside them."""
    services = FIXTURE / "aws" / "services"
    shutil.copytree(FIXTURE / "app", root / "app" / "app")
    shutil.copytree(services / "cli-tools", root / "usr" / "bin")
    shutil.copytree(services / "supervisor" / "event-listeners", root / "usr" / "local" / "bin")
    shutil.copytree(services / "supervisor" / "conf", root / "etc" / "supervisord.d")
    shutil.copytree(root / "app/app/client", root / "app/app/client/build")
    (root / "app/app/client/build/pier.css").write_text("p { color: navy }\n")
    return Image(root)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's environment, made once by app-init."""
    image = lay_out(tmp_path_factory.mktemp("installed") / "root")
    done = image.run("app-init", variables=package_settings())
    assert done.returncode == 0, done.stderr
    return image.root / "opt" / "venv"


def package_settings() -> dict[str, str]:
    """What reaching a package registry needs on this machine."""
    kept = ("UV_", "PIP_", "SSL_", "XDG_", "HTTP", "http", "NO_PROXY", "no_proxy", "HOME")
    settings = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    return {**settings, "PATH": f"{Path(uv.find_uv()).parent}:/usr/bin:/bin"}


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """The app, laid out anew."""
    return lay_out(tmp_path / "root")


@dataclass
class Task:
    """container-init, running, and everything that it has said."""

    process: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)

    @property
    def log(self) -> str:
        return "".join(self.said)

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers={name.replace("_", "-"): headers[name] for name in headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers

    def get(self, path: str) -> tuple[int, str]:
        return self.ask("GET", path)[:2]

    def await_health(self) -> None:
        def answers() -> bool:
            try:
                return self.get("/health") == (200, "ok\n")
            except OSError:
                return False

        self.until(answers)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait: what has been written is read by a thread, and what was killed is gone a moment later."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@pytest.fixture
def start(installed: Path, free_port: Any) -> Iterator[Callable[..., Task]]:
    """Start container-init in an image; what is left at the end is ended."""
    tasks: list[Task] = []

    def run(image: Image, **variables: str) -> Task:
        port = free_port()
        own = {"SINK_VENV": str(installed), "PORT": str(port), "HOST": "127.0.0.1", **variables}
        process = subprocess.Popen(
            image.command("container-init"),
            env=image.environment({"PATH": "/usr/bin:/bin", **own}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        tasks.append(Task(process, port))
        return tasks[-1]

    yield run
    for task in tasks:
        if task.process.poll() is None:
            task.end()


def test_it_serves_pages_and_service_and_drains(image: Image, start: Callable[..., Task]) -> None:
    """Once for everything that such an app may count on."""
    (image.app / "app/server/.env").write_text(
        'GREETING=it costs 5 # or more\nSECRET_KEY=a=b\n-----END KEY-----\nQUOTED="hi"\nAPP_ENV=file\n'
    )
    task = start(image, APP_ENV="stage")
    task.await_health()

    # The values, as its python-dotenv reads them; the task definition wins.
    query = "&".join(f"setting={name}" for name in ("GREETING", "SECRET_KEY", "QUOTED", "APP_ENV"))
    about = json.loads(task.get(f"/api/about?{query}")[1])
    assert about["settings"] == {
        "GREETING": "it costs 5",
        "SECRET_KEY": "a=b",
        "QUOTED": "hi",
        "APP_ENV": "stage",
    }
    # app-boot's exports last, and assertions are left out as on that platform.
    assert (about["booted"], about["asserts"]) == ("yes", False)
    # Below its prefix it knows where it is, whatever a caller claims.
    claimed = task.ask("GET", "/api/about", Host="tide", X_Forwarded_Host="evil", X_Forwarded_Prefix="/x")
    assert json.loads(claimed[1])["here"] == "http://tide/api/about"
    assert task.get("/api/nothing")[0] == 404
    # Pages: the index for every route of the client's, files as they are, nothing outside.
    index = (image.app / "app/client/build/index.html").read_text()
    assert task.get("/") == task.get("/somewhere/deep") == (200, index)
    status, text, headers = task.ask("GET", "/pier.css")
    assert (status, text, headers["Content-Type"]) == (200, "p { color: navy }\n", "text/css; charset=utf-8")
    assert task.ask("GET", "/pier.css", If_None_Match=headers["ETag"])[0] == 304
    assert task.get("/missing.js")[0] == task.get("/../../server/.env")[0] == 404
    assert task.ask("POST", "/")[0] == 405
    # A supervisor program of the app's, though its file has lost its executable bit.
    task.until(lambda: "prune-uploads looked at 0 files for it costs 5" in task.log)

    assert task.end() == 0
    task.until(lambda: "Worker exiting" in task.log and "WARN received SIGTERM" in task.log)
    task.until(lambda: str(image.root) not in arguments_of_all())


def arguments_of_all() -> str:
    done = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("Z"))


def test_without_programs_the_server_takes_the_place_of_the_script(
    image: Image, start: Callable[..., Task]
) -> None:
    shutil.rmtree(image.root / "etc/supervisord.d")
    task = start(image)
    task.await_health()

    assert f"Listening at: http://127.0.0.1:{task.port} ({task.process.pid})" in task.log
    assert task.end() == 0


def test_an_app_boot_that_fails_keeps_the_service_from_starting(
    image: Image, start: Callable[..., Task]
) -> None:
    (image.root / "usr/bin/app-boot").write_text("set -e\necho booting in $PWD\n(exit 7)\necho never\n")
    task = start(image)

    assert task.process.wait(DEADLINE_S) == 7
    task.until(lambda: "app-boot ended with exit code 7; the service is not started." in task.log)
    assert f"booting in {image.app}/app/server\n" in task.log
    assert "never" not in task.log
    assert "Listening" not in task.log


def test_tasks_boot_one_after_the_other(image: Image, start: Callable[..., Task]) -> None:
    """By a lock among the files that they share, which goes with whoever held it."""
    shared = image.root / "mnt/shared"
    shared.mkdir(parents=True)
    (image.root / "usr/bin/app-boot").write_text("exit 9\n")
    with (shared / ".app-boot.lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        waiting, told = start(image), start(image)
        for task in (waiting, told):
            task.until(lambda task=task: "app-boot waits for that of another task." in task.log)
        assert told.end() == 128 + signal.SIGTERM

    assert waiting.process.wait(DEADLINE_S) == 9


def test_a_signal_during_app_boot_ends_all_of_it(image: Image, start: Callable[..., Task]) -> None:
    (image.root / "usr/bin/app-boot").write_text(f"echo booting\nsleep 601.{os.getpid()}\n")
    task = start(image)
    task.until(lambda: "booting" in task.log)

    assert task.end() == 128 + signal.SIGTERM
    task.until(lambda: f"sleep 601.{os.getpid()}" not in arguments_of_all())


def test_the_task_ends_with_its_server(image: Image, start: Callable[..., Task]) -> None:
    """ECS starts another; supervisor and its programs do not stay behind."""
    (image.root / "etc/supervisord.d/more.ini").write_text(
        "[supervisord]\nloglevel = debug\n"
        "[program:tick]\ncommand = bash -c 'echo ticking; exec sleep 600'\nuser = nobody\n"
    )
    task = start(image, GREETING="hello")
    task.await_health()
    task.until(lambda: "ticking" in task.log)
    server = int(re.findall(r"Listening at: \S+ \((\d+)\)", task.log)[0])

    os.kill(server, signal.SIGKILL)

    assert task.process.wait(DEADLINE_S) == 137
    task.until(lambda: "web ended with exit code 137, and the task with it." in task.log)
    assert "more.ini: [supervisord] is the runtime's to say, and is left out." in task.log
    task.until(lambda: str(image.root) not in arguments_of_all())


def test_an_app_that_does_not_import_says_why_and_ends(image: Image, start: Callable[..., Task]) -> None:
    (image.app / "app/server/src/api/__init__.py").write_text("import nowhere\n")
    (image.root / "usr/bin/app-boot").unlink()
    shutil.rmtree(image.root / "etc/supervisord.d")
    task = start(image)

    assert task.process.wait(DEADLINE_S) == 3
    task.until(lambda: "No module named 'nowhere'" in task.log)


class TestBadInput:
    def test_a_server_without_dependencies_is_refused(self, image: Image) -> None:
        manifest = image.app / "app/server/pyproject.toml"
        manifest.write_text("[tool.black]\nline-length = 100\n")

        assert refusal(image.run("app-init")) == (
            f"{manifest.parent} has neither a pyproject.toml with [project] nor a requirements.txt."
        )

    def test_a_server_that_nothing_can_serve_is_refused(self, image: Image) -> None:
        (image.app / "app/server/pyproject.toml").unlink()
        requirements = image.app / "app/server/requirements.txt"
        requirements.write_text("python-dotenv==1.0.1\n")

        done = image.run("app-init", variables=package_settings())

        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == (
            f"app-init: {requirements} does not name gunicorn, with which the service is served: add it."
        )

    def test_sources_that_do_not_compile_fail_the_build(self, image: Image, installed: Path) -> None:
        (image.app / "app/server/src/api/broken.py").write_text("def broken(:\n")

        done = image.run("app-init", "app", variables={"SINK_VENV": str(installed)})

        assert done.returncode == 1
        sentence = done.stderr.splitlines()[-1]
        assert sentence.startswith("app-init: src/api/broken.py line 1 does not compile: SyntaxError: ")
        assert not list((image.app / "app/server").rglob("__pycache__"))

    @pytest.mark.parametrize("text", ["command = x\n", "[program:a]\ncommand\n"])
    def test_programs_that_are_none_are_refused(self, image: Image, installed: Path, text: str) -> None:
        file = image.root / "etc/supervisord.d/bad.ini"
        file.write_text(text)

        said = refusal(image.run("container-init", variables={"SINK_VENV": str(installed)}))

        assert said.startswith(f"{file} cannot be read: ")

    def test_a_package_name_that_is_none_is_refused(self, image: Image, installed: Path) -> None:
        (image.root / "usr/bin/app-boot").write_text("export FLASK_APP=api:create_app\n")

        done = image.run("container-init", variables={"SINK_VENV": str(installed)})

        assert done.returncode == 2
        assert done.stderr.splitlines()[-1] == (
            "container-init: FLASK_APP is 'api:create_app'; "
            f"it must name the package in {image.app}/app/server/src, such as api."
        )

    def test_an_image_that_was_not_installed_says_so(self, image: Image) -> None:
        said = refusal(image.run("container-init"))

        assert said == f"{image.root}/opt/venv/bin/gunicorn is missing: RUN app-init first."
