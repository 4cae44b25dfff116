"""The useful lines of a failed build's log, and what CodeBuild says of it, short enough to read."""

from __future__ import annotations

import pytest

from the_sink.diagnosis.build_log import (
    find_evidence,
    find_missing_runtime,
    find_sink_build_sentence,
    shorten_command,
    shorten_message,
)

SCRIPT = ["docker build -f aws/Dockerfile \\", '  -t "$IMAGE" \\', "  ."]


def own(text: str) -> str:
    """A line that CodeBuild writes itself."""
    return f"[Container] 2026/01/02 03:04:05.678901 {text}"


def failed(command: list[str], status: int = 1) -> list[str]:
    """How CodeBuild tells that a command failed: with all of its text again."""
    first, *others = command
    ended = [own(f"Command did not exit successfully {first}"), *others]
    ended[-1] += f" exit status {status}"
    return ended


AFTERWARDS = [
    own('Running the finally block of BUILD: rm -rf "$ENV_FOLDER"'),
    own('Running command rm -rf "$ENV_FOLDER"'),
    "removed",
    own("Phase complete: BUILD State: FAILED"),
    own("Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command"),
    own("Entering phase POST_BUILD"),
    own("Running command echo bye"),
    "bye",
]


def test_the_failed_commands_own_output_is_the_evidence() -> None:
    log = [
        own("Running command docker pull base"),
        "pulled",
        own(f"Running command {SCRIPT[0]}"),
        *SCRIPT[1:],
        "Step 3/4: RUN app-init dependencies",
        "No solution found",
        *failed(SCRIPT),
        *AFTERWARDS,
    ]

    assert find_evidence(log, 20) == ("Step 3/4: RUN app-init dependencies", "No solution found")
    assert find_evidence(log, 1) == ("No solution found",)


def test_a_block_whose_text_ends_with_a_newline_is_told_from_its_output_too() -> None:
    """As a block scalar of YAML does."""
    log = [own(f"Running command {SCRIPT[0]}"), *SCRIPT[1:], "no space left"]
    log += [own(f"Command did not exit successfully {SCRIPT[0]}"), *SCRIPT[1:], " exit status 1"]

    assert find_evidence([*log, *AFTERWARDS], 20) == ("no space left",)


def test_the_first_failure_counts_and_not_one_that_follows_from_it() -> None:
    """The legacy platform's buildspecs go on to push what the failed build has left."""
    log = [
        own("Running command make"),
        "cause",
        *failed(["make"]),
        own("Running command docker push"),
        "denied",
    ]

    assert find_evidence([*log, *failed(["docker push"])], 20) == ("cause",)


def test_a_command_that_failed_in_silence_leaves_what_was_said_before_it() -> None:
    log = [
        own("Entering phase BUILD"),
        own("Running command make"),
        "compiled with a warning",
        own("Running command exit 7"),
        *failed(["exit 7"], 7),
        *AFTERWARDS,
    ]

    assert find_evidence(log, 20) == ("compiled with a warning",)


def test_a_build_that_failed_without_a_command_keeps_what_codebuild_says() -> None:
    said = own("Phase context status code: YAML_FILE_ERROR Message: stat buildspec.yml: no such file")
    log = [own("Phase complete: DOWNLOAD_SOURCE State: FAILED"), said]

    assert find_evidence(log, 20) == (said,)
    assert find_evidence([], 20) == ()


@pytest.mark.parametrize(
    ("command", "short"),
    [
        ("exit 7", "exit 7"),
        ("docker build \\\n  .\n", "docker build …"),
        ("docker build \\ …", "docker build …"),
        ("if test -f x; then\n  false\nfi", "if test -f x; then …"),
        ("", ""),
    ],
)
def test_a_command_of_several_lines_is_called_by_its_first(command: str, short: str) -> None:
    assert shorten_command(command) == short


@pytest.mark.parametrize(
    ("message", "short"),
    [
        (
            "Error while executing command: docker build \\\n  -t a.b .\n. Reason: exit status 1",
            "`docker build …` ended with exit status 1",
        ),
        (
            "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
            "Error while executing command: exit 3. Reason: exit status 3",
            "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
            "`exit 3` ended with exit status 3",
        ),
        ("YAML_FILE_ERROR:  no such\nfile.", "YAML_FILE_ERROR: no such file"),
    ],
)
def test_what_codebuild_says_becomes_one_line(message: str, short: str) -> None:
    assert shorten_message(message) == short


def test_the_sentence_of_sink_build_is_its_last_line() -> None:
    said = "sink-build image: docker build ended with exit code 1."

    assert find_sink_build_sentence(["$ docker build .", "error", said]) == (
        "docker build ended with exit code 1."
    )
    assert find_sink_build_sentence([said, "more"]) == ""
    assert find_sink_build_sentence(["sink-build 1.2.0"]) == ""
    assert find_sink_build_sentence([]) == ""


def test_a_missing_runtime_is_found_in_the_words_of_version_1_0_too() -> None:
    """They name no processor: their platform had images for one."""
    said = (
        "The platform has no runtime image for Python 3.13, which "
        "aws/cfn-template-configuration-stage.json asks for. "
        "In the platform's repository: invoke runtimes.publish --runtime 3.13"
    )

    assert find_missing_runtime(["pulled", said]) == ("3.13", "")
    assert find_missing_runtime(["pulled"]) == ("", "")
