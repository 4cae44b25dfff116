"""A task's processors decide how many processes serve, unless somebody has decided."""

from __future__ import annotations

import json

import pytest

from .conftest import Image, refusal


@pytest.mark.parametrize(
    ("cpu", "processes"),
    [("256", "1"), ("512", "1"), ("1024", "1"), ("2048", "2"), ("4096", "4"), ("16384", "16")],
)
def test_one_process_serves_for_each_whole_processor(image: Image, cpu: str, processes: str) -> None:
    assert concurrency(image, TASK_CPU=cpu) == processes


@pytest.mark.parametrize("variables", [{}, {"TASK_CPU": ""}])
def test_without_a_size_the_server_decides(image: Image, variables: dict[str, str]) -> None:
    """As on a laptop, or below a stack that is older than this."""
    assert concurrency(image, **variables) is None


def test_what_somebody_sets_counts(image: Image) -> None:
    """In the task definition, or in the secret."""
    assert concurrency(image, TASK_CPU="4096", WEB_CONCURRENCY="1") == "1"
    assert concurrency(image, TASK_CPU="4096", SINK_SECRET_CORE='{"WEB_CONCURRENCY": "3"}') == "3"


def test_a_size_that_is_no_number_is_refused(image: Image) -> None:
    done = image.run("container-init", variables={"TASK_CPU": "1 vCPU"})

    assert (
        refusal(done) == "TASK_CPU is '1 vCPU'; it must be a number of CPU units: 1024 are one virtual CPU."
    )


def concurrency(image: Image, **variables: str) -> str | None:
    done = image.run("container-init", variables=variables)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout).get("WEB_CONCURRENCY")
    return found if found is None else str(found)
