"""What a ``.dockerignore`` leaves out of a build."""

from __future__ import annotations

import pytest

from sink_sandbox.containers.process.images.dockerignore import Ignored
from the_sink.errors import InputError

from .builds import BASE, Bench
from .conftest import write_tree


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
