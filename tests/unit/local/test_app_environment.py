"""app/.venv and app/.env are made when they are missing and left alone when they are not."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sink_host import uv
from sink_host.pythons import find_python
from the_sink.errors import InputError, SinkError
from the_sink.local.app_environment import prepare, prepare_env_file, read_procfile
from the_sink.local.serving import container_init, require_free, serving_variables

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


class Said(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def lock(app: Path) -> Path:
    """A lock that names nothing, so that installing it costs nothing."""
    path = app / "app" / "requirements-dev.lock"
    path.write_text("# nothing\n")
    return path


def test_an_environment_is_made_once_and_then_left_alone(app, lock):
    said, again = Said(), Said()

    environment = prepare(app, OWN, said)
    version = subprocess.run(
        [environment / "bin" / "python", "-c", "import sys; print(sys.version_info[:2])"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    prepare(app, OWN, again)

    assert environment == app / "app" / ".venv"
    assert version == f"{sys.version_info[:2]}\n"
    assert [line.split(" with ")[0] for line in said] == [
        "Making app/.venv",
        "Installing app/requirements-dev.lock",
    ]
    assert again == []


def test_another_lock_is_installed_into_the_same_environment(app, lock):
    prepare(app, OWN, Said())
    marker = app / "app" / ".venv" / "marker"
    marker.touch()
    lock.write_text("# nothing else\n")
    said = Said()

    prepare(app, OWN, said)

    assert said == ["Installing app/requirements-dev.lock"]
    assert marker.exists()


def test_another_runtime_or_a_broken_link_makes_it_anew(app, lock):
    prepare(app, OWN, Said())
    (app / "app" / ".venv" / "bin" / "python").unlink()
    said = Said()

    prepare(app, OWN, said)

    assert said[0].startswith("Making app/.venv with ")


def test_a_runtime_that_is_not_here_is_stood_in_for_and_said(app, lock):
    said = Said()

    prepare(app, "3.99", said)

    instead = f"Python 3.99 is not on this machine; Python {platform.python_version()} is used instead."
    assert said[0] == instead
    assert (app / "app" / ".venv" / "bin" / "python").exists()

    again = Said()
    prepare(app, "3.99", again)

    assert again == [instead]


def test_the_python_that_pyenv_keeps_takes_the_place_of_a_stand_in(app, lock, tmp_path, monkeypatch):
    """It is looked for where the sandbox looks; uv alone does not see it behind pyenv's shims."""
    prepare(app, "3.99", Said())
    python = tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python3.99"
    python.parent.mkdir(parents=True)
    # Says that it is 3.99 where it is asked, and is the tests' own Python to everybody else.
    python.write_text(f'#!/bin/sh\n[ "$2" = -S ] && echo 3.99.1 || exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    find_python.cache_clear()
    said = Said()

    prepare(app, "3.99", said)
    find_python.cache_clear()

    assert said[0] == f"Making app/.venv with Python 3.99.1 ({python})"


def test_without_a_lock_there_is_nothing_to_install(app):
    with pytest.raises(InputError) as caught:
        prepare(app, OWN, Said())

    assert (caught.value.message, caught.value.hint) == (
        "There is no app/requirements-dev.lock.",
        "Make it: invoke lock.",
    )


def test_a_lock_that_cannot_be_installed_is_tried_again_next_time(app, lock):
    lock.write_text("pytest==9.0.0\n")  # without a hash

    for _ in range(2):
        with pytest.raises(SinkError) as caught:
            prepare(app, OWN, Said())

        assert caught.value.message.startswith("requirements-dev.lock could not be installed: uv ended with")


def test_an_env_file_comes_from_its_example_and_is_never_replaced(app):
    said = Said()
    prepare_env_file(app, said)
    assert not (app / "app" / ".env").exists()

    (app / "app" / ".env.example").write_text("A=1\n")
    prepare_env_file(app, said)
    assert (app / "app" / ".env").read_text() == "A=1\n"
    assert (app / "app" / ".env").stat().st_mode & 0o777 == 0o600

    (app / "app" / ".env").write_text("A=2\n")
    prepare_env_file(app, said)
    assert (app / "app" / ".env").read_text() == "A=2\n"
    assert said == ["Made app/.env from app/.env.example"]


def test_a_procfile_is_read_by_process_type(app):
    (app / "app" / "Procfile").write_text("# web: no\nrelease: migrate\n\nweb: serve --at http://x:80\n")

    assert read_procfile(app) == {"release": "migrate", "web": "serve --at http://x:80"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "app/Procfile: it is missing."),
        ("# web: x\n", "app/Procfile: it has no line 'web: <command>': nothing would serve."),
    ],
)
def test_a_procfile_that_starts_nothing_is_refused(app, text, message):
    (app / "app" / "Procfile").unlink()
    if text is not None:
        (app / "app" / "Procfile").write_text(text)

    with pytest.raises(InputError) as caught:
        read_procfile(app)

    assert caught.value.message == message


@pytest.mark.parametrize(
    ("web", "variable", "value"),
    [
        ("uvicorn app:app --port $PORT", "UVICORN_RELOAD", "true"),
        ("python -m uvicorn app:app", "UVICORN_RELOAD", "true"),
        ("exec gunicorn app:app", "GUNICORN_CMD_ARGS", "--workers 2 --reload"),
        (
            "/opt/bin/gunicorn -k uvicorn.workers.UvicornWorker app:app",
            "GUNICORN_CMD_ARGS",
            "--workers 2 --reload",
        ),
    ],
)
def test_a_server_that_can_reload_is_told_to(app, monkeypatch, web, variable, value):
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 2")

    variables, reloads = serving_variables(app, app / "app" / ".venv", 8123, web)

    assert reloads
    assert variables[variable] == value


def test_another_server_runs_as_it_stands_where_a_container_would_look(app):
    environment = app / "app" / ".venv"

    variables, reloads = serving_variables(app, environment, 8123, "python serve.py uvicornish")

    assert not reloads
    assert "UVICORN_RELOAD" not in variables
    assert (variables["HOST"], variables["PORT"]) == ("127.0.0.1", "8123")
    assert (variables["SINK_ROOT"], variables["SINK_VENV"]) == (str(app), str(environment))
    assert variables["PATH"].startswith(f"{environment / 'bin'}:")
    assert container_init().is_file()


def test_a_taken_port_is_said_before_anything_is_made(free_port):
    import socket

    port = free_port()
    require_free(port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(InputError) as caught:
            require_free(port)

    assert caught.value.message == f"Port {port} is taken by another program."
    assert caught.value.hint == f"Choose another: --port {port + 1}."


def test_what_differs_between_two_locks_is_listed_by_package():
    before = "a==1.0 \\\n    --hash=x\nb==1.0\nC-d[e]==2 ; os_name == 'nt'\nC-d[e]==3 ; os_name != 'nt'\n"
    after = "a==1.1 \\\n    --hash=y\nc-d==3\ne==0.1\n"

    assert [str(change) for change in uv.compare_locks(before, after)] == [
        "~ a 1.0 → 1.1",
        "- b 1.0",
        "~ c-d 2 / 3 → 3",
        "+ e 0.1",
    ]
    assert uv.compare_locks(after, after) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "There is no pyproject.toml in {}."), ("[project", "app/pyproject.toml: it is not TOML: ")],
)
def test_dependencies_that_are_not_declared_cannot_be_resolved(tmp_path, text, message):
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)

    with pytest.raises(InputError) as caught:
        uv.resolve_lock(tmp_path, "requirements.lock")

    assert caught.value.message.startswith(message.format(tmp_path))


def test_uv_is_the_one_that_came_with_the_package():
    assert Path(uv.find_uv()) == Path(sys.executable).parent / "uv"


def test_a_second_lock_takes_the_versions_of_the_first():
    first = "# made\na==2 \\\n    --hash=x\n    # via b\nB-c[e]==1\n"
    second = "# made\na==1 \\\n    --hash=y\n    # via b\nb-c==3\nd==4 \\\n    --hash=z\n"

    assert uv._preferring(first, second) == first + "# made\n" + "d==4 \\\n    --hash=z\n"
