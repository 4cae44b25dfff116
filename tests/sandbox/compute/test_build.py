"""What ``docker build`` makes of a Dockerfile, and what it refuses."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from the_sink.errors import InputError, SinkError
from the_sink.sandbox.compute.build import Builder, BuildRequest
from the_sink.sandbox.compute.dockerfile import Instruction, parse_dockerfile, split_words
from the_sink.sandbox.compute.dockerignore import Ignored
from the_sink.sandbox.compute.layers import Entry, changes, list_tree, normal_mode, pack, unpack
from the_sink.sandbox.compute.references import parse_reference
from the_sink.sandbox.compute.registry import Registry
from the_sink.sandbox.compute.store import Image, ImageStore

from .conftest import Emulator, Published, write_tree

BASE = "FROM public.ecr.aws/docker/library/python:3.11-slim\n"


@dataclass
class Bench:
    """Builds in this process, on a state folder of the test's own."""

    state_dir: Path
    endpoint_url: str
    context: Path

    def __post_init__(self) -> None:
        self.store = ImageStore(self.state_dir)
        self.said: list[str] = []

    def build(self, dockerfile: str, **settings: Any) -> Image:
        (self.context / "Dockerfile").write_text(dockerfile)
        request = BuildRequest(self.context, self.context / "Dockerfile", **settings)
        self.said = []
        registry = Registry(self.store, self.endpoint_url)
        return Builder(self.state_dir, self.store, registry, request, self.said.append).build()

    def names(self, image: Image) -> list[str]:
        """The files of the image, as ``ls -p`` would show them."""
        found = []
        for layer in image.layers:
            with tarfile.open(self.store.blob_path(layer["digest"])) as archive:
                found += [header.name + ("/" if header.isdir() else "") for header in archive]
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Nothing listens at its endpoint: images from outside need no registry."""
    context = write_tree(
        tmp_path / "context",
        {"a.txt": "a", "b.txt": "b", "src/one.py": "1", "src/deep/two.py": "2", "run.sh": "#!/bin/sh\n"},
    )
    (context / "run.sh").chmod(0o775)
    return Bench(tmp_path / "sandbox", "http://127.0.0.1:9", context)


@pytest.fixture
def app_bench(emulator: Emulator, state_dir: Path, app_tree: Path) -> Bench:
    return Bench(state_dir, emulator.endpoint_url, app_tree)


def settings_of(bench: Bench, lines: str) -> dict[str, Any]:
    return bench.build(BASE + lines).settings


def test_base_from_outside_is_this_machine(bench: Bench) -> None:
    image = bench.build(
        BASE + "RUN apt-get update && \\\n  apt-get install -y gcc\nCOPY --from=ghcr.io/uv /uv /bin/\n"
    )

    assert image.layers == []
    assert image.labels["the-sink.sandbox.python"] == "3.11"
    assert "this machine with its Python 3.11" in bench.said[1]
    assert bench.said[2].endswith(
        "RUN apt-get update && apt-get install -y gcc: not run, the operating system is this machine's"
    )
    assert bench.said[3].endswith("COPY --from=ghcr.io/uv /uv /bin/: not copied, this machine has its own")


def test_missing_python_version_is_said(bench: Bench) -> None:
    bench.build("FROM python:3.1\n")
    assert any("Python 3.1 is not on this machine; Python 3." in line for line in bench.said)


@pytest.mark.parametrize(
    ("lines", "key", "expected"),
    [
        ("ENV A=1 B='two words' C=\"$A-${B}\"", "Env", ["A=1", "B=two words", "C=-"]),
        ("ENV A=1\nENV C=${A:-x}${NO:-y}${A:+z}\\$A", "Env", ["A=1", "C=1yz$A"]),
        ("ENV OLD the rest of it", "Env", ["OLD=the rest of it"]),
        ("WORKDIR /srv\nWORKDIR app/../web", "WorkingDir", "/srv/web"),
        ("USER app:app", "User", "app:app"),
        ("EXPOSE 8080 53/udp", "ExposedPorts", {"8080/tcp": {}, "53/udp": {}}),
        ('VOLUME ["/a b", "/c"]', "Volumes", {"/a b": {}, "/c": {}}),
        ("VOLUME /a /b", "Volumes", {"/a": {}, "/b": {}}),
        ('ENTRYPOINT ["init", "x"]', "Entrypoint", ["init", "x"]),
        ("CMD echo $HOME", "Cmd", ["/bin/sh", "-c", "echo $HOME"]),
        ('SHELL ["/bin/bash", "-ec"]\nCMD run', "Cmd", ["/bin/bash", "-ec", "run"]),
        ("STOPSIGNAL SIGINT", "StopSignal", "SIGINT"),
        ("HEALTHCHECK NONE", "Healthcheck", {"Test": ["NONE"]}),
        (
            "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=5s --retries=2 CMD probe me",
            "Healthcheck",
            {
                "Test": ["CMD-SHELL", "probe me"],
                "Interval": 90_000_000_000,
                "Timeout": 500_000_000,
                "StartPeriod": 5_000_000_000,
                "Retries": 2,
            },
        ),
    ],
)
def test_instruction_reaches_the_configuration(bench: Bench, lines: str, key: str, expected: Any) -> None:
    found = settings_of(bench, lines + "\n")[key]
    assert expected == (found if key != "Env" else [item for item in found if not item.startswith("PATH=")])


def test_new_entry_point_drops_the_inherited_command(app_bench: Bench, published: Published) -> None:
    first = app_bench.build(f'FROM {published.runtime}\nCMD ["web"]\n')
    app_bench.store.tag(parse_reference("mine"), first)
    assert "Cmd" not in app_bench.build('FROM mine\nENTRYPOINT ["other"]\n').settings
    kept = app_bench.build('FROM mine\nCMD ["own"]\nENTRYPOINT ["other"]\n')
    assert kept.settings["Cmd"] == ["own"]


def test_arguments_have_the_scopes_that_docker_gives_them(bench: Bench) -> None:
    image = bench.build(
        "ARG TAG=3.11-slim\nARG GLOBAL=g\nFROM python:${TAG}\n"
        "ARG GLOBAL\nARG OWN=default\nARG GIVEN=default\n"
        'LABEL all="$GLOBAL/$OWN/$GIVEN/$TAG" said="${TEXT:-none}"\n',
        arguments={"GIVEN": 'it\'s "quoted" $OWN', "TEXT": "undeclared"},
        labels={"more": "x"},
    )
    assert image.labels["all"] == 'g/default/it\'s "quoted" $OWN/'
    assert image.labels["said"] == "none"
    assert image.labels["more"] == "x"


def test_comments_and_continuation_lines(bench: Bench) -> None:
    image = bench.build(
        "# syntax=docker/dockerfile:1\n\n"
        + BASE
        + "LABEL a=1 \\\n# in between\n\n   b=2 \\\n  c=3\n  # indented\nUSER x\n"
    )
    assert {"a": "1", "b": "2", "c": "3"}.items() <= image.labels.items()
    assert image.settings["User"] == "x"


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        ("COPY a.txt /x", ["x"]),
        ("COPY a.txt /x/", ["x/", "x/a.txt"]),
        ("WORKDIR /app\nCOPY a.txt .", ["app/", "app/a.txt"]),
        ("COPY a.txt b.txt /to/", ["to/", "to/a.txt", "to/b.txt"]),
        ("COPY *.txt /to/", ["to/", "to/a.txt", "to/b.txt"]),
        ("COPY s?c/on[e].py /to/", ["to/", "to/one.py"]),
        ("COPY src /to", ["to/", "to/deep/", "to/deep/two.py", "to/one.py"]),
        ('COPY ["src/deep", "/to/"]', ["to/", "to/two.py"]),
        ("COPY src/deep /to/\nCOPY a.txt /to", ["to/", "to/two.py", "to/", "to/a.txt"]),
    ],
)
def test_copy_places_files_as_docker_does(bench: Bench, copy: str, expected: list[str]) -> None:
    assert expected == bench.names(bench.build(f"{BASE}{copy}\n"))


def test_copy_keeps_what_matters_of_modes(bench: Bench) -> None:
    (bench.context / "a.txt").chmod(0o400)
    (bench.context / "b.txt").chmod(0o666)
    (bench.context / "link").symlink_to("a.txt")
    image = bench.build(BASE + "COPY . /all/\nCOPY --chmod=750 --chown=app:app b.txt /strict\n")
    modes = {}
    for layer in image.layers:
        with tarfile.open(bench.store.blob_path(layer["digest"])) as archive:
            modes.update({header.name: header for header in archive})
    assert modes["all/a.txt"].mode == 0o400, "readable by its owner alone, because somebody meant it"
    assert modes["all/b.txt"].mode == 0o644
    assert modes["all/run.sh"].mode == 0o755
    assert modes["strict"].mode == 0o750
    assert (modes["strict"].uname, modes["strict"].gname) == ("app", "app")
    assert modes["all/link"].issym() and modes["all/link"].linkname == "a.txt"


def test_dockerignore_leaves_out_what_it_names(bench: Bench) -> None:
    write_tree(
        bench.context,
        {".dockerignore": "# no logs\n*.log\n!keep.log\n**/__pycache__\nsrc/deep\n*ocker*\n",
         "x.log": "", "keep.log": "", "src/__pycache__/c.pyc": "", "src/a.log": ""},
    )  # fmt: skip
    image = bench.build(BASE + "COPY . /\n")
    assert bench.names(image) == ["a.txt", "b.txt", "keep.log", "run.sh", "src/", "src/a.log", "src/one.py"]
    with pytest.raises(InputError, match=r"Dockerfile line 2: x\.log is not in the build context") as caught:
        bench.build(BASE + "COPY x.log /\n")
    assert caught.value.hint == "A .dockerignore leaves it out."


def test_dockerignore_can_be_a_list_of_what_goes_in(bench: Bench) -> None:
    (bench.context / ".dockerignore").write_text("*\n!src\nsrc/*.py\n")
    assert bench.names(bench.build(BASE + "COPY . /\n")) == ["src/", "src/deep/", "src/deep/two.py"]


def test_dockerignore_beside_the_dockerfile_wins(bench: Bench) -> None:
    (bench.context / ".dockerignore").write_text("a.txt\n")
    (bench.context / "Dockerfile.dockerignore").write_text("b.txt\n")
    names = bench.names(bench.build(BASE + "COPY *.txt /\n"))
    assert names == ["a.txt"]


def test_a_glob_may_match_nothing_beside_what_is_there(bench: Bench) -> None:
    """An optional file, as in the Dockerfile of an app: release.json is in releases only."""
    assert bench.names(bench.build(BASE + "COPY a.txt no*where /\n")) == ["a.txt"]


@pytest.mark.parametrize(
    ("dockerfile", "sentence"),
    [
        ("", "Dockerfile has no FROM."),
        ("FROM\n", "Dockerfile line 1: FROM needs an argument."),
        ("ARG FROM\nFROM ${FROM}\n", "Dockerfile line 2: FROM names no image: `${FROM}` came out as ``."),
        ("FROM nginx:1\n", "line 1: FROM nginx:1 cannot be had without a Docker Engine."),
        ("FROM UPPER:1\n", "'UPPER:1' is not an image reference."),
        ("RUN x\nFROM python:3\n", "line 1: only ARG may stand before FROM, not RUN."),
        ("FROM python:3 AS a\nFROM python:3\n", "line 2: a second FROM (a multi-stage build) is not built"),
        (BASE + "ADD a /\n", "line 2: ADD is not understood without a Docker Engine."),
        (BASE + "MAINTAINER me\n", "line 2: MAINTAINER is not understood"),
        (BASE + "COPY <<EOF /x\nhello\nEOF\n", "line 2: the heredoc of COPY is not understood"),
        (BASE + "COPY --parents a.txt /\n", "line 2: COPY --parents is not understood"),
        (BASE + "COPY --chmod=u+x a.txt /\n", "line 2: COPY --chmod=u+x is not understood"),
        (BASE + "COPY a.txt\n", "line 2: COPY needs a source and a destination."),
        (BASE + "COPY nowhere /\n", "line 2: nowhere is not in the build context."),
        (BASE + "COPY no*where /\n", "line 2: no*where matches nothing in the build context."),
        (BASE + "COPY ../secret /\n", "line 2: ../secret lies outside the build context."),
        (BASE + "COPY out /\n", "line 2: out leads out of the build context."),
        (BASE + "COPY a.txt b.txt /to\n", "line 2: COPY of more than one source needs a destination"),
        (BASE + "ENV A\n", "line 2: ENV A has no value."),
        (BASE + "ENV A='x\n", "line 2: a quote is not closed."),
        (BASE + "ENV A=${B##x}\n", "line 2: this variable substitution is not understood"),
        (BASE + "ENV A=${B:?is needed}\n", "line 2: B: is needed."),
        (BASE + "EXPOSE web\n", "line 2: 'web' is not a port."),
        (BASE + "STOPSIGNAL SIGSOON\n", "line 2: 'SIGSOON' is not a signal."),
        (BASE + "SHELL bash\n", "line 2: SHELL is written as a list"),
        (BASE + "HEALTHCHECK curl\n", "line 2: HEALTHCHECK is followed by CMD"),
        (BASE + "HEALTHCHECK --interval=soon CMD x\n", "line 2: 'soon' is not a duration"),
        (BASE + "USER --x y\n", "line 2: USER --x is not understood."),
        ("# escape=`\nFROM python:3\n", "line 1: another escape character is not understood here."),
    ],
)
def test_what_cannot_be_built_is_refused_with_its_line(bench: Bench, dockerfile: str, sentence: str) -> None:
    (bench.context / "out").symlink_to(bench.context.parent)
    with pytest.raises(InputError) as caught:
        bench.build(dockerfile)
    assert sentence in caught.value.message
    assert bench.store.names() == {}


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


def build_app(bench: Bench, published: Published, **settings: Any) -> Image:
    text = (bench.context / "Dockerfile").read_text()
    return bench.build(text, arguments={"FROM": published.runtime}, **settings)


def test_equal_input_gives_an_equal_digest(
    emulator: Emulator, published: Published, app_tree: Path, tmp_path: Path
) -> None:
    """On another machine, from files with other times, without any cache."""
    one = build_app(Bench(tmp_path / "one", emulator.endpoint_url, app_tree), published)
    for path in app_tree.rglob("*"):
        os.utime(path, (1, 1))
    (app_tree / "version").chmod(0o666)
    two = build_app(Bench(tmp_path / "two", emulator.endpoint_url, app_tree), published)
    write_tree(app_tree, {"version": "three"})
    three = build_app(Bench(tmp_path / "two", emulator.endpoint_url, app_tree), published)

    assert one.digest == two.digest
    assert one.digest != three.digest
    shared = {layer["digest"] for layer in one.layers} & {layer["digest"] for layer in three.layers}
    assert len(shared) == len(one.layers) - 1, "only COPY of the sources makes another layer"


def test_unchanged_instructions_are_cached(app_bench: Bench, published: Published) -> None:
    build_app(app_bench, published)
    assert sum(line.endswith(" CACHED") for line in app_bench.said) == 4
    assert not any("installed for" in line for line in app_bench.said)

    write_tree(app_bench.context, {"src/app.py": "changed"})
    build_app(app_bench, published)
    assert sum(line.endswith(" CACHED") for line in app_bench.said) == 2, "the lock and its installation"

    write_tree(app_bench.context, {"requirements.lock": "b==2\n"})
    build_app(app_bench, published)
    assert not any(line.endswith(" CACHED") for line in app_bench.said)
    assert any(line.endswith("installed for plain") for line in app_bench.said)


def test_no_cache_builds_anew_but_installs_nothing_twice(app_bench: Bench, published: Published) -> None:
    first = build_app(app_bench, published)
    second = build_app(app_bench, published, use_cache=False)
    assert second.digest == first.digest
    assert not any(line.endswith(" CACHED") for line in app_bench.said)
    assert any(
        "app-init dependencies: CACHED, installed before for Python 3.11" in line for line in app_bench.said
    )


def test_lost_environment_is_not_taken_for_cached(app_bench: Bench, published: Published) -> None:
    first = build_app(app_bench, published)
    (app_bench.state_dir / "venvs" / first.labels["the-sink.sandbox.venv"] / ".complete").unlink()
    build_app(app_bench, published)
    assert any("installed for" in line for line in app_bench.said)


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


def test_changes_of_a_folder_lead_from_one_listing_to_the_next(tmp_path: Path) -> None:
    """What RUN did is one layer: applied to the state before, it gives the state after."""
    root, again = tmp_path / "root", tmp_path / "again"
    files = ("keep", "edit", "gone/deep/file", "kind")
    start = pack([Entry(path, "file", 0o644, b"1") for path in files])
    for folder in (root, again):
        folder.mkdir()
        unpack(start, folder)
    before = list_tree(root)
    (root / "edit").write_text("2")
    (root / "keep").chmod(0o755)
    for path in ("gone/deep/file", "kind"):
        (root / path).unlink()
    (root / "gone/deep").rmdir()
    (root / "gone").rmdir()
    (root / "kind").mkdir()
    (root / "link").symlink_to(root / "edit")
    (root / "kind/__pycache__").mkdir()
    (root / "kind/__pycache__/x.pyc").write_text("compiled")

    unpack(pack(changes(root, before)), again)

    expected = list_tree(root) | {"link": ("link", 0, str(again / "edit"))}
    assert expected == list_tree(again)
    assert not (again / "kind/__pycache__").exists()


def tar_of(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_layer_cannot_write_outside_its_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(SinkError, match="outside the image"):
        unpack(tar_of(name), tmp_path / "root")
    assert not (tmp_path / "out").exists()


def test_layer_cannot_write_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    unpack(pack([Entry("way", "link", target="../")]), tmp_path / "root")
    with pytest.raises(SinkError, match="leads out of its root"):
        unpack(tar_of("way/out"), tmp_path / "root")


def test_damaged_layer_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="is no tar archive"):
        unpack(b"not a tar archive", tmp_path)


@given(
    st.lists(
        st.text(
            st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x85\u2028\u2029"),
            min_size=1,
        )
    )
)
def test_quoted_words_come_out_as_they_went_in(words: list[str]) -> None:
    quoted = " ".join(
        '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"' for word in words
    )
    instruction = Instruction("LABEL", quoted, (), 1, "Dockerfile")
    assert words == split_words(quoted, instruction, {"x": "never"})


@given(st.integers(min_value=0, max_value=0o777))
def test_modes_depend_on_the_owner_alone(mode: int) -> None:
    kept = normal_mode(mode)
    assert kept & 0o700 in (mode & 0o700, kept & 0o700)
    assert (kept & 0o077 == 0) == (mode & 0o077 == 0)
    assert bool(kept & 0o100) == bool(mode & 0o100)


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        ("a", "a/b/c", True),
        ("/a/", "a", True),
        ("*", "a/b", True),
        ("*/b", "a/b", True),
        ("*/b", "a/c/b", False),
        ("**/b", "b", True),
        ("**/b", "a/c/b", True),
        ("a/**", "a/b/c", True),
        ("a?c", "abc", True),
        ("a[bx]c", "axc", True),
        ("a.c", "abc", False),
        ("*\n!b", "b", False),
        ("*\n!b\nb/c", "b/c/d", True),
        ("# a\n\n", "a", False),
    ],
)
def test_dockerignore_rules(rules: str, path: str, ignored: bool) -> None:
    assert ignored == (path in Ignored(rules.splitlines()))


def test_instructions_keep_their_line_numbers() -> None:
    found = parse_dockerfile("FROM a\n\n# x\nRUN one \\\n two\nUSER b\n", "Dockerfile")
    assert [(each.keyword, each.line) for each in found] == [("FROM", 1), ("RUN", 4), ("USER", 6)]
