"""Models and events as the lines that people and scripts read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from the_sink.models import (
    ActionChanged,
    Deployed,
    EnvironmentStatus,
    Event,
    Evidence,
    Execution,
    Gate,
    PhaseChanged,
    Release,
    ResourceChanged,
    Said,
    Serving,
    StackStatus,
    TasksChanged,
    WaitingRelease,
    Warned,
)
from the_sink.report import tables, wording

DIGEST = "sha256:" + "ab" * 32
SERVING = Serving((DIGEST,), 2, 2, True, url="http://my-app.example")
RELEASE = Release("my-app", "0123456789abcdef0123456789abcdef01234567", "Start")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Said("Hello."), "Hello."),
        (Warned("Mind that."), "Warning: Mind that."),
        (ActionChanged("Build", "InProgress"), "  Build …"),
        (ActionChanged("Build", "InProgress", expected_s=65), "  Build … (usually 1 min 5 s)"),
        (
            ActionChanged("Deploy/UpdateService", "Succeeded", "ignored", 41.2),
            "  Deploy/UpdateService done in 41 s",
        ),
        (ActionChanged("Build", "Failed", "exit status 7", 2.5), "  Build FAILED in 2.5 s: exit status 7"),
        (PhaseChanged("PRE_BUILD", "SUCCEEDED", 3), "    pre_build: succeeded (3 s)"),
        (PhaseChanged("BUILD", "IN_PROGRESS"), ""),
        (PhaseChanged("QUEUED", "SUCCEEDED"), ""),
        (
            ResourceChanged("s", "Service", "AWS::ECS::Service", StackStatus("UPDATE_COMPLETE")),
            "    update complete: Service (ECS::Service)",
        ),
        (
            ResourceChanged(
                "s",
                "Nested",
                "AWS::CloudFormation::Stack",
                StackStatus("CREATE_FAILED"),
                "Embedded stack arn:aws:cloudformation:eu-west-1:000000000000:stack/nested-1/c3ff "
                "was not successfully created: The following resource(s) failed to create: [Service]. ",
            ),
            "    create failed: Nested (CloudFormation::Stack): Embedded stack nested-1 was not "
            "successfully created: The following resource(s) failed to create: [Service].",
        ),
        (
            ResourceChanged("s", "Service", "AWS::ECS::Service", StackStatus("UPDATE_FAILED"), "No room."),
            "    update failed: Service (ECS::Service): No room.",
        ),
        (ResourceChanged("s", "Service", "AWS::ECS::Service", StackStatus("UPDATE_IN_PROGRESS")), ""),
        (
            ResourceChanged(
                "s", "Database", "AWS::RDS::DBInstance", StackStatus("CREATE_COMPLETE"), "Only recorded."
            ),
            "    create complete: Database (RDS::DBInstance): Only recorded.",
        ),
        (TasksChanged(1, 1, 2), "    tasks: 1 of 2 running, 1 starting"),
        (TasksChanged(2, 0, 2), "    tasks: 2 of 2 running"),
        (Evidence("The end", ("a", "b")), "  The end:\n    | a\n    | b"),
    ],
)
def test_an_event_is_a_line(event: Event, line: str) -> None:
    assert wording.render_event(event) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (42.4, "42 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert wording.format_duration(seconds) == text


def test_green_is_one_line_with_commit_digest_tasks_address_and_time() -> None:
    deployed = Deployed("stage", RELEASE, SERVING, "run-1", 61.0)

    assert wording.render_deployed(deployed) == (
        "my-app stage serves 01234567 (sha256:abababababab), 2/2 tasks, http://my-app.example, 1 min 1 s."
    )


def test_an_environment_of_no_tasks_is_said_to_be_stopped() -> None:
    deployed = Deployed("stage", RELEASE, Serving((), 0, 0, True, url="http://my-app.example"), "run-1", 61.0)

    assert wording.render_deployed(deployed) == (
        "my-app stage is stopped (InstancesCount is 0): 01234567 is deployed, and nothing serves, 1 min 1 s."
    )


def test_a_release_that_served_already_is_said_to() -> None:
    deployed = Deployed("stage", RELEASE, SERVING, "run-1", 0.5, was_serving_already=True)

    assert wording.render_deployed(deployed).startswith("my-app stage already serves 01234567")


def test_a_plan_says_that_nothing_was_changed() -> None:
    assert wording.render_steps(["do this", "do that"]) == (
        "Nothing was changed. This would be done:\n  1. do this\n  2. do that"
    )
    assert wording.render_steps([]) == "Nothing to do."


def test_status_tells_each_environment() -> None:
    run = Execution(
        "run-1",
        "Succeeded",
        updated_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        summary=RELEASE.summary,
    )
    stage = EnvironmentStatus(
        "stage",
        True,
        "my-app-stage-pipeline",
        run,
        "UPDATE_COMPLETE",
        RELEASE.commit,
        SERVING,
        released_by="Ada <ada@example.org>",
        approved_by="arn:aws:iam::123456789012:user/bob",
        log_group="/the-sink/my-app/stage/app",
    )
    since = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    waiting = WaitingRelease(RELEASE.commit, RELEASE.subject, since, "run-2")
    uat = EnvironmentStatus(
        "uat", True, closed=(Gate("Build", reason="freeze"),), waiting_for_approval=waiting
    )

    text = wording.render_status("my-app", [stage, uat, EnvironmentStatus("prod", False)])

    assert text == (
        "my-app stage\n"
        "  last run: Succeeded 01234567 Start, 2026-03-01 12:00:00 UTC (run-1)\n"
        "  stack: UPDATE_COMPLETE\n"
        "  serves: 01234567 (sha256:abababababab)\n"
        "  released: by Ada <ada@example.org>, approved by arn:aws:iam::123456789012:user/bob\n"
        "  tasks: 2 of 2 running\n"
        "  address: http://my-app.example\n"
        "  log: /the-sink/my-app/stage/app (CloudWatch Logs)\n"
        "\n"
        "my-app uat\n"
        "  last run: none yet\n"
        "  closed: the way into Build (freeze)\n"
        "  waits for approval: 01234567 'Start', since 2026-03-01 12:30:00 UTC (invoke approve --env uat)\n"
        "  serves: nothing yet\n"
        "\n"
        "my-app prod: not bootstrapped"
    )


def test_status_tells_a_service_that_went_back_and_one_that_runs_nothing() -> None:
    went_back = Serving((DIGEST,), 1, 1, False, "ROLLBACK_SUCCESSFUL three tasks failed.")
    stage = EnvironmentStatus("stage", True, commit=RELEASE.commit, serving=went_back)
    uat = EnvironmentStatus("uat", True, serving=Serving((), 0, 1, True))

    text = wording.render_status("my-app", [stage, uat])

    assert text == (
        "my-app stage\n"
        "  last run: none yet\n"
        "  serves: 01234567 (sha256:abababababab)\n"
        "  tasks: 1 of 1 running\n"
        "  last deployment of the service: ROLLBACK_SUCCESSFUL three tasks failed\n"
        "\n"
        "my-app uat\n"
        "  last run: none yet\n"
        "  serves: nothing, no task runs\n"
        "  tasks: 0 of 1 running"
    )


def test_a_table_is_aligned_and_has_no_trailing_blanks() -> None:
    assert tables.render_table(("a", "bb"), [("long", "x"), ("s", "")]) == "A     BB\nlong  x\ns"
