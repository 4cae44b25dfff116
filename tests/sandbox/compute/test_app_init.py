"""What runs while an app is built: ``app-init`` and nothing else, with the secrets that its line mounts."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from the_sink.errors import InputError, SinkError

from .builds import Bench, Published, build_app
from .conftest import write_tree


@pytest.mark.parametrize(
    "command",
    [
        "pip install x",
        "app-init app && rm -rf /",
        "app-init $(date)",
        '["sh", "-c", "app-init"]',
        "--network=none app-init app",
        "install a.txt /app/b.txt",
        "install -m u+r a.txt /app/b.txt",
        "install -m 0400 -d /app/b",
        "install -m 0400 $FILE /app/b.txt",
    ],
)
def test_only_app_init_runs_in_an_app(app_bench: Bench, published: Published, command: str) -> None:
    with pytest.raises(InputError, match="of an app's RUN lines only app-init") as caught:
        app_bench.build(f"FROM {published.runtime}\nRUN {command}\n")
    assert caught.value.message.startswith(f"Dockerfile line 2: RUN {command} needs a Docker Engine")


@pytest.mark.parametrize(
    ("mount", "sentence"),
    [
        ("type=bind,source=a", "RUN --mount=type=bind is not understood without a Docker Engine."),
        ("target=/a", "RUN --mount=type=bind is not understood without a Docker Engine."),
        ("type=ssh", "RUN --mount=type=ssh is not understood without a Docker Engine."),
        ("type=tmpfs,target=/a", "RUN --mount=type=tmpfs is not understood without a Docker Engine."),
        (
            "type=secret,id=a,env=A",
            "RUN --mount=type=secret,env=… is not understood without a Docker Engine.",
        ),
        ("type=secret,id=a,required=maybe", "required of a mount is true or false, not 'maybe'."),
        ("type=secret", "a secret that is mounted needs an id, and a file as its target."),
        ("type=secret,id=a,required=true", "the secret a was not given."),
        (
            "type=secret,id=env,target=/app/version",
            "/app/version, where a secret is mounted, is in the image",
        ),
    ],
)
def test_a_mount_that_cannot_be_played_is_refused_by_name(
    app_bench: Bench, published: Published, mount: str, sentence: str
) -> None:
    with pytest.raises(SinkError) as caught:
        app_bench.build(
            f"FROM {published.runtime}\nCOPY version ./\nRUN --mount={mount} app-init app\n",
            secrets={"env": published.app_tree / "version"},
        )
    assert caught.value.message.startswith(f"Dockerfile line 3: {sentence}")


def test_a_secret_is_seen_by_its_command_and_kept_as_what_that_writes(
    app_bench: Bench, published: Published, tmp_path: Path
) -> None:
    secret = tmp_path / ".env"
    secret.write_text("A='planted in a build'\n")
    secret.chmod(0o400)
    mount = "--mount=type=secret,id=env,required=true,mode=0444"

    image = app_bench.build(
        f"FROM {published.runtime}\nRUN app-init app\n"
        f"RUN {mount} install -m 0400 /run/secrets/env /app/.env\n",
        use_cache=False,
        secrets={"env": secret},
    )

    with tarfile.open(app_bench.store.blob_path(image.layers[-1]["digest"])) as layer:
        found = {each.name: (oct(each.mode), each.uname) for each in layer if not each.isdir()}
        assert layer.extractfile("app/.env").read() == secret.read_bytes()  # type: ignore[union-attr]
    assert found == {"app/.env": ("0o400", "app")}
    assert [name for name in app_bench.names(image) if name.startswith("run")] == []
    holders = {
        path
        for path in app_bench.state_dir.rglob("*")
        if path.is_file() and b"planted in a build" in path.read_bytes()
    }
    assert holders == {app_bench.store.blob_path(image.layers[-1]["digest"])}


def test_app_init_sees_a_secret_where_the_line_mounts_it(
    app_bench: Bench, published: Published, tmp_path: Path
) -> None:
    """Beside what is in the image; nothing of it stays there."""
    lock = tmp_path / "lock"
    lock.write_text("c==3\n")

    image = app_bench.build(
        f"FROM {published.runtime}\n"
        "RUN --mount=type=secret,id=lock,target=/app/requirements.lock app-init dependencies\n",
        secrets={"lock": lock},
    )

    venv = app_bench.state_dir / "venvs" / image.labels["the-sink.sandbox.venv"]
    assert (venv / "lock").read_text() == "c==3\n"
    assert not [name for name in app_bench.names(image) if "requirements" in name]


def test_install_cannot_leave_the_image(app_bench: Bench, published: Published, tmp_path: Path) -> None:
    (app_bench.context / "out").symlink_to("../../../../../..")
    with pytest.raises(SinkError, match=r"line 3: '/app/all/out/x' of the image leads out of its root"):
        app_bench.build(
            f"FROM {published.runtime}\nCOPY . /app/all/\nRUN install -m 0644 all/version all/out/x\n"
        )
    with pytest.raises(SinkError, match=r"line 2: `install -m 0644 .*` failed with exit code 1"):
        app_bench.build(f"FROM {published.runtime}\nRUN install -m 0644 nowhere /app/x\n")


def test_app_init_without_an_argument_does_both(app_bench: Bench, published: Published) -> None:
    image = app_bench.build(f"FROM {published.runtime}\nCOPY . ./\nRUN app-init\n")
    assert "the-sink.sandbox.venv" in image.labels
    assert "app/prepared" in app_bench.names(image)
    assert any("app-init dependencies: CACHED" in line for line in app_bench.said)


def test_failure_of_app_init_names_the_line_and_leaves_nothing(
    app_bench: Bench, published: Published
) -> None:
    write_tree(app_bench.context, {"requirements.lock": "impossible==1\n"})
    before = set((app_bench.state_dir / "venvs").iterdir())
    with pytest.raises(
        SinkError, match=r"Dockerfile line 5: `app-init dependencies` failed with exit code 1\."
    ):
        build_app(app_bench, published)
    assert app_bench.said[-1].endswith("app-init: no such package")
    assert not list((app_bench.state_dir / "builds").iterdir())
    assert [path for path in set((app_bench.state_dir / "venvs").iterdir()) - before if path.is_dir()] == []
