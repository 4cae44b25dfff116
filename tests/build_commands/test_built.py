"""What is in the registry already: used only where the pipeline has admitted it before."""

from __future__ import annotations

from .conftest import COMMIT, Host


def built(host: Host) -> str:
    """Build once; return the tag, which the registry then holds."""
    host.run()
    tag = host.image().partition(":")[2]
    host.tags("stage")[tag] = "sha256:1"
    host.tags("stage")["latest"] = "sha256:1"
    return tag


def test_what_was_admitted_before_is_neither_built_nor_pushed(host: Host) -> None:
    tag = built(host)
    host.has_admitted("stage", "sha256:1")

    calls = host.docker()

    assert [call.split()[0] for call in calls] == ["pull", "run"]
    assert calls[0] == f"pull hello-sink-stage:{tag}"
    assert f"hello-sink-stage:{tag} is in the registry already." in host.short(host.out)


def test_what_the_ledger_names_is_used_too(host: Host) -> None:
    tag = built(host)
    host.has_released("stage", tag, "sha256:1")

    assert [call.split()[0] for call in host.docker()] == ["pull", "run"]


def test_what_somebody_pushed_beforehand_is_worth_nothing(host: Host) -> None:
    """A build of unreviewed code can have pushed it under the next commit's tag."""
    tag = built(host)

    calls = host.docker()

    assert host.image() == f"hello-sink-stage:{tag}-2"
    assert "docker pull" not in calls
    assert f"push hello-sink-stage:{tag}-2" in calls
    assert f"hello-sink-stage:{tag} was never admitted here: not using it." in host.out


def test_another_commits_admission_is_not_this_ones(host: Host) -> None:
    tag = built(host)
    key = f"admissions/hello-sink/stage/{'0' * 40}/1.json"
    host.state["objects"][key] = "{}"

    host.run()

    assert host.image() == f"hello-sink-stage:{tag}-2"


def test_a_further_image_that_was_admitted_is_found_again(host: Host) -> None:
    tag = built(host)
    host.tags("stage")[f"{tag}-2"] = "sha256:2"
    host.has_admitted("stage", "sha256:2")

    calls = host.docker()

    assert [call.split()[0] for call in calls] == ["pull", "run"]
    assert host.image() == f"hello-sink-stage:{tag}-2"


def test_where_every_tag_is_taken_it_ends(host: Host) -> None:
    tag = built(host)
    host.tags("stage").update({f"{tag}-{number}": f"sha256:{number}" for number in range(2, 10)})

    host.run()

    assert host.err == (
        f"sink-build image: Every tag for {tag} in hello-sink-stage is taken by an image that was never "
        "admitted. Delete them (aws ecr batch-delete-image) once you know who pushed them; then deploy "
        "again.\n"
    )


def test_a_record_that_is_none_is_one_sentence(host: Host) -> None:
    built(host)
    host.state["objects"][f"releases/hello-sink/stage/{COMMIT}/1.json"] = "[]"

    host.run()

    assert host.err.startswith(
        f"sink-build image: s3://the-bucket/releases/hello-sink/stage/{COMMIT}/1.json is not a record of a "
        "release: "
    )
