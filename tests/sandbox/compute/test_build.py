"""What ``docker build`` makes of a Dockerfile, and what it refuses."""

from __future__ import annotations

import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sink_sandbox.containers.process.images.dockerfile import Instruction, parse_dockerfile, split_words
from sink_sandbox.containers.references import parse_reference
from the_sink.errors import InputError

from .builds import BASE, Bench, Published


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


def test_instructions_keep_their_line_numbers() -> None:
    found = parse_dockerfile("FROM a\n\n# x\nRUN one \\\n two\nUSER b\n", "Dockerfile")
    assert [(each.keyword, each.line) for each in found] == [("FROM", 1), ("RUN", 4), ("USER", 6)]


def test_a_tab_separates_as_a_space_does() -> None:
    text = "FROM\tpython:3.11\nENV\tA=1\nHEALTHCHECK\tCMD\tprobe me\n"

    found = parse_dockerfile(text, "Dockerfile")

    assert [(each.keyword, each.rest) for each in found] == [
        ("FROM", "python:3.11"),
        ("ENV", "A=1"),
        ("HEALTHCHECK", "CMD\tprobe me"),
    ]


def test_tabs_and_a_byte_order_mark_build_the_same_image(bench: Bench) -> None:
    image = bench.build("\ufeff" + BASE.replace("FROM ", "FROM\t") + "HEALTHCHECK\tCMD\tprobe me\n")

    assert image.settings["Healthcheck"]["Test"] == ["CMD-SHELL", "probe me"]
