"""What AWS says when it refuses a role something, and what a person is told."""

from __future__ import annotations

import pytest

from the_sink.diagnosis.refusals import find_refusal

SESSION = "arn:aws:sts::123456789012:assumed-role/{}/1700000000"
UPDATE = (
    "User: {} is not authorized to perform: ecs:UpdateService on resource: "
    "arn:aws:ecs:eu-west-1:123456789012:service/demo-app-stage-ecs-cluster/demo-app-stage-ecs-service "
    "because no identity-based policy allows the ecs:UpdateService action (AccessDeniedException)"
)


def told(role: str, text: str = UPDATE) -> tuple[str, str]:
    found = find_refusal(["nothing to see", text.format(SESSION.format(role))])
    assert found is not None
    return str(found), found.hint("stage", " --sandbox")


def test_a_refusal_names_role_action_and_resource() -> None:
    sentence, hint = told("demo-app-stage-pipeline-PipelineRole-1A2B3C")

    assert sentence == (
        "the role PipelineRole (demo-app-stage-pipeline-PipelineRole-1A2B3C) lacks ecs:UpdateService on "
        "arn:aws:ecs:eu-west-1:123456789012:service/demo-app-stage-ecs-cluster/demo-app-stage-ecs-service."
    )
    assert hint == (
        "Allow it to PipelineRole in the platform's stacks/python/pipeline.yml and release that; in the app "
        "run `invoke update`, `.venv/bin/pip install -r requirements-platform.txt` and `invoke bootstrap "
        "--env stage --sandbox`"
    )


@pytest.mark.parametrize(
    ("role", "place"),
    [
        ("demo-app-stage-pipeline-BuildRole-1A2B", "stacks/python/pipeline.yml"),
        ("demo-app-stage-pipeline-StackRole-1A2B", "additional_policies of sink.toml"),
        ("demo-app-stage-StackPython-1X2Y-ExecutionRole-1A2B", "stacks/python/cfn-template.yml"),
        ("demo-app-stage-StackPython-1X2Y-Execution887DBED", "stacks/python/cfn-template.yml"),
        ("demo-app-stage-StackPython-1X2Y-TaskRole-1A2B", "aws/cfn-template.yml"),
        ("somebody-elses-role", "the role somebody-elses-role"),
    ],
)
def test_the_hint_says_where_the_roles_permissions_are(role: str, place: str) -> None:
    _, hint = told(role)

    assert place in hint


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # S3 quotes the resource.
        (
            "An error occurred (AccessDenied) when calling the GetObject operation: User: {} is not "
            'authorized to perform: s3:GetObject on resource: "arn:aws:s3:::bucket/key" because no '
            "identity-based policy allows the s3:GetObject action",
            "lacks s3:GetObject on arn:aws:s3:::bucket/key.",
        ),
        # Services that name no resource, and actions that have none.
        (
            "User: {} is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
            "lacks ecr:GetAuthorizationToken.",
        ),
        ("User: {} is not authorized to perform: iam:PassRole", "lacks iam:PassRole."),
        # A log cuts lines.
        (
            "User: {}\nis not authorized to perform:\n  sns:Publish on resource: arn:aws:sns:x:1:t.",
            "lacks sns:Publish on arn:aws:sns:x:1:t.",
        ),
    ],
)
def test_every_services_way_to_say_it_is_read(text: str, sentence: str) -> None:
    found, _ = told("demo-app-stage-pipeline-BuildRole-1A2B", text)

    assert found.endswith(sentence)


def test_the_last_refusal_counts() -> None:
    texts = [
        UPDATE.format(SESSION.format(f"app-pipeline-{role}-1")) for role in ("BuildRole", "PipelineRole")
    ]

    found = find_refusal(texts)

    assert found is not None
    assert found.role == "PipelineRole"


def test_what_is_no_refusal_of_a_role_is_left_to_others() -> None:
    assert (
        find_refusal(["exit 7", "User: arn:aws:iam::1:user/me is not authorized to perform: s3:GetObject"])
        is None
    )
