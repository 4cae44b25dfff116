"""What the runtime's programs said last is told from what anybody else did, and from what has passed."""

from __future__ import annotations

import pytest

from the_sink.aws.session import Target
from the_sink.diagnosis.exceptions import LoggedException
from the_sink.diagnosis.failed_tasks import FailedTask
from the_sink.diagnosis.hints import hint_for_build, hint_for_stack, hint_for_task
from the_sink.diagnosis.runtime_words import describe_port, find_runtime_sentence
from the_sink.models import Said, Task, Warned
from the_sink.naming import Names
from the_sink.verbs.follow import tell_unstarted

NAMES = Names("shop", "uat")
SET_IT = (
    f"Give the setting a right value in the secret {NAMES.secret} and run `invoke deploy --env uat --sandbox "
    "--again`, nothing needs to be committed; or give it a default, commit"
)
UNSET = LoggedException("KeyError: 'GREETING'", is_about_settings=True)
RUNS = Task("arn", "RUNNING", "app:1")
UNCERTIFIED = (
    "The platform has no certificate for UsePlatformCertificate. In the platform's repository: invoke "
    "platform.bootstrap --parameter CertificateArn=<its ARN> --sandbox"
)
SILENT = "nothing listens on port 8080 ($PORT) 10 s after the start of web"
WORKER = "worker ended with exit code 0, and the task with it"
ENDED = Task("arn", "STOPPED", "app:1", exit_code=0, stop_code="EssentialContainerExited")
WAITING = "release waits for that of another task"
RELEASE = "release ended with exit code 1; web is not started"


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], ""),
        (["container-init: web: python3 -m shop", "ValueError: container"], ""),
        (["container-init: .env is not written (Read-only file system); the settings are in …"], ""),
        (["container-init: The secret is a list; …"], "The secret is a list; …"),
        (["#12 0.345 app-init: /app/Procfile line 2 is not …."], "/app/Procfile line 2 is not …"),
        ([f"container-init: {SILENT}.", "INFO still warming up"], SILENT),
        ([f"container-init: {SILENT}.", "container-init: web listens on port 8080 now, 12 s …"], ""),
        (["container-init: release: false", f"container-init: {RELEASE}."], RELEASE),
        ([f"container-init: {WAITING}."], WAITING),
        ([f"container-init: {WAITING}.", "container-init: release: alembic upgrade head"], ""),
        (["app-init: Procfile: every task runs 'worker' beside web."], ""),
        (["container-init: worker: python3 -m shop.jobs"], ""),
        (["container-init: Not used of the settings, because the container has its own: PORT."], ""),
        (["container-init: web: shop", f"container-init: {WORKER}."], WORKER),
    ],
)
def test_the_last_fault_is_found(lines: list[str], fault: str) -> None:
    assert find_runtime_sentence(lines) == fault


def test_a_port_that_leads_to_another_is_said_to() -> None:
    """As where a process of the sandbox plays a container; on AWS both are 8080."""
    assert describe_port(SILENT.replace("8080", "38595"), 8080) == (
        " (port 8080 leads to the task's $PORT, 38595)"
    )
    assert describe_port(SILENT, 8080) == ""
    assert describe_port("", 8080) == ""


def test_a_pipeline_that_no_event_has_started_is_a_warning_in_the_sandbox() -> None:
    """EventBridge may be late on AWS; in the sandbox only a missing permission or rule keeps it away."""
    late = "Nothing has started it within a minute, so this command does."

    assert tell_unstarted(Target("eu-west-1")) == Said(late)
    assert tell_unstarted(Target.sandbox("eu-west-1", "http://127.0.0.1:1", "secret")) == Warned(
        f"{late} On AWS nothing would either: `invoke sandbox.access` lists what EventRole was refused."
    )


@pytest.mark.parametrize(
    ("failed", "hint"),
    [
        (None, "Mend the cause, commit"),
        (
            FailedTask(RUNS, fault="The secret's key 'a b' …"),
            f"Mend the secret {NAMES.secret}; nothing needs to be committed",
        ),
        (FailedTask(RUNS, exception=UNSET), SET_IT),
        (FailedTask(RUNS, exception=LoggedException("ValueError")), "Mend the cause, commit"),
        (
            FailedTask(RUNS, fault=RELEASE),
            "The `release:` command of the Procfile failed, before anything was served: see above what the "
            "migration said, mend it, commit",
        ),
        (
            FailedTask(RUNS, fault=SILENT),
            "Let the `web:` command of the Procfile listen on $HOST and $PORT, commit",
        ),
        (FailedTask(ENDED), "Let the `web:` command of the Procfile stay in the foreground, commit"),
        (
            FailedTask(ENDED, fault=WORKER),
            "Let the `worker:` command of the Procfile stay in the foreground, commit",
        ),
        (
            FailedTask(
                Task("arn", "STOPPED", "app:1", exit_code=137, container_reason="OutOfMemoryError: killed")
            ),
            "Give it more in aws/cfn-template-configuration-uat.json (TaskMemory), or mend the leak, commit",
        ),
    ],
)
def test_the_next_step_is_that_of_the_fault(failed: FailedTask | None, hint: str) -> None:
    assert hint_for_task(failed, NAMES, " --sandbox") == hint


@pytest.mark.parametrize(
    ("fault", "exception", "hint"),
    [
        (
            "The secret is null; it must be …",
            None,
            f"Mend the secret {NAMES.secret}; nothing needs to be committed",
        ),
        ("check ended with exit code 1", UNSET, SET_IT),
        ("check ended with exit code 1", LoggedException("ImportError: x"), "Mend it, commit"),
        ("check ended with exit code 1", None, "Mend it, commit"),
    ],
)
def test_the_next_step_of_a_build_is_the_secret_where_that_is_the_fault(
    fault: str, exception: LoggedException | None, hint: str
) -> None:
    assert hint_for_build(fault, exception, NAMES, " --sandbox") == hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            "Embedded stack … was not successfully created: No export named the-sink-CertificateArn found",
            UNCERTIFIED,
        ),
        (
            "Listener (AWS::ElasticLoadBalancingV2::Listener): Export 'the-sink-CertificateArn' not found.",
            UNCERTIFIED,
        ),
        ("No export named theirs found", "Mend the cause, commit"),
    ],
)
def test_the_next_step_of_a_stack_is_the_platforms_where_that_lacks_a_certificate(
    said: str, hint: str
) -> None:
    assert hint_for_stack(None, said, "stage", " --sandbox") == hint
