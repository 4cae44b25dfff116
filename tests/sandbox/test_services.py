"""ECS services as processes: stacks wait for them, targets are healthy, rollouts lose no request."""

from __future__ import annotations

import threading

import sink_sandbox

from .helpers import wait_for
from .shop import HOST, IMAGE, Shop, template


def test_a_stack_is_complete_when_its_service_serves(shop: Shop) -> None:
    digest = shop.push("live", version="one")
    stack = shop.deploy()

    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert outputs["Address"] == f"{HOST}:{shop.sandbox.port}"
    assert outputs["SecretRef"].startswith("arn:aws:secretsmanager:eu-west-1:000000000000:secret:core-")
    # The app gets the host that its visitor typed, and its own answer to /health gets out.
    assert shop.get() == (200, f"one {HOST}:{shop.sandbox.port}")
    assert shop.get("/health") == (200, f"one {HOST}:{shop.sandbox.port}")
    (task,) = shop.tasks()
    assert task["containers"][0]["imageDigest"] == digest
    group = shop.service()["loadBalancers"][0]["targetGroupArn"]
    (target,) = shop.aws("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert target["TargetHealth"]["State"] == "healthy"
    wait_for(lambda: shop.log("starting one"), "the task's output in the log")
    (deployment,) = shop.ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"]
    assert deployment["status"] == "SUCCESSFUL"


def test_a_task_definition_keeps_all_that_the_template_says(shop: Shop) -> None:
    shop.push("live")
    shop.deploy(
        count=0,
        Secrets=[{"Name": "CORE", "ValueFrom": {"Ref": "Secret"}}],
        HealthCheck={"Command": ["CMD", "true"], "Interval": "7"},
        MountPoints=[{"SourceVolume": "shared", "ContainerPath": "/mnt/shared", "ReadOnly": "false"}],
        StopTimeout="30",
        LinuxParameters={"InitProcessEnabled": True},
    )

    definition = shop.ecs.describe_task_definition(taskDefinition="app:1")["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    assert container["secrets"][0]["name"] == "CORE"
    assert container["secrets"][0]["valueFrom"].startswith("arn:aws:secretsmanager:")
    assert container["healthCheck"] == {"command": ["CMD", "true"], "interval": 7}
    assert container["mountPoints"] == [
        {"sourceVolume": "shared", "containerPath": "/mnt/shared", "readOnly": False}
    ]
    assert container["stopTimeout"] == 30
    assert container["logConfiguration"]["options"]["awslogs-stream-prefix"] == "app"
    assert definition["volumes"][0]["efsVolumeConfiguration"] == {
        "fileSystemId": "fs-12345678",
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": "fsap-12345678", "iam": "ENABLED"},
    }
    assert (definition["cpu"], definition["ephemeralStorage"]) == ("256", {"sizeInGiB": 21})
    service = shop.service()
    assert (service["desiredCount"], service["healthCheckGracePeriodSeconds"]) == (0, 60)
    assert service["enableExecuteCommand"] is True


def test_a_rollout_loses_no_request(shop: Shop) -> None:
    shop.push("live", version="one")
    shop.push("next", version="two")
    shop.deploy()
    answers: list[tuple[int, str]] = []
    ended = threading.Event()

    def visit() -> None:
        while not ended.is_set():
            answers.append(shop.get())

    slow: list[tuple[int, str]] = []
    visitor = threading.Thread(target=visit)
    lingering = threading.Thread(target=lambda: slow.append(shop.get("/slow")))
    visitor.start()
    lingering.start()
    try:
        execution_id = shop.release("next")
        assert shop.pipelines.ended("ship", execution_id) == "Succeeded"
        wait_for(lambda: shop.get()[1].startswith("two"), "the new version")
    finally:
        ended.set()
        visitor.join()
        lingering.join()

    assert {status for status, _ in answers} == {200}
    assert {body[:3] for _, body in answers} == {"one", "two"}
    assert slow == [(200, f"one {HOST}:{shop.sandbox.port}")]
    (task,) = shop.tasks()
    assert task["containers"][0]["image"] == IMAGE + "next"
    # The revision that the action registered is the service's own with another image.
    definition = shop.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    assert (definition["cpu"], definition["volumes"][0]["name"]) == ("256", "shared")
    result = shop.pipelines.actions("ship", execution_id)["Go"]["output"]["executionResult"]
    assert result["externalExecutionId"] == shop.service()["deployments"][0]["id"]


def test_files_on_the_shared_file_system_outlive_a_task(shop: Shop) -> None:
    mount = {"SourceVolume": "shared", "ContainerPath": "/mnt/shared"}
    shop.push("live", version="one")
    shop.push("next", version="two")
    shop.deploy(MountPoints=[mount])
    assert shop.get("/write")[0] == 200
    shop.deploy("next", MountPoints=[mount])

    assert shop.get()[1].startswith("two")
    assert shop.get("/read") == (200, "one")


def test_a_release_that_dies_is_rolled_back_and_said(shop: Shop) -> None:
    shop.push("live", version="one")
    shop.push("next", version="two", behaviour="dies")
    shop.deploy()
    execution_id = shop.release("next")

    assert shop.pipelines.ended("ship", execution_id) == "Failed"
    assert "circuit breaker" in shop.pipelines.error("ship", execution_id, "Go")["message"]
    wait_for(
        lambda: (
            shop.ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"][0]["status"]
            == "ROLLBACK_SUCCESSFUL"
        ),
        "the rollback",
    )
    assert shop.get()[1].startswith("one")
    (brief, *_) = shop.ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"]
    (detail,) = shop.ecs.describe_service_deployments(serviceDeploymentArns=[brief["serviceDeploymentArn"]])[
        "serviceDeployments"
    ]
    assert detail["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert "circuit breaker" in detail["rollback"]["reason"]
    stopped = [task for task in shop.tasks("STOPPED") if task["stopCode"] == "EssentialContainerExited"]
    assert [task["containers"][0]["exitCode"] for task in stopped] == [3, 3, 3]
    wait_for(lambda: shop.log("cannot start: no database"), "the last words in the log")


def test_a_task_that_stays_unhealthy_is_stopped_for_it_and_fails_the_stack(shop: Shop) -> None:
    shop.push("live", version="one")
    shop.push("bad", version="bad", behaviour="500")
    once = {"Type": "COUNT", "Value": 1}
    shop.deploy(threshold=once)
    stack = shop.deploy("bad", threshold=once)

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert shop.get()[1].startswith("one")
    events = shop.pipelines.stacks.describe_stack_events(StackName="shop")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("ECS Deployment Circuit Breaker was triggered" in reason for reason in reasons)
    stopped = {task["stoppedReason"].partition(" (")[0] for task in shop.tasks("STOPPED")}
    assert "Task failed ELB health checks in" in stopped
    (note,) = [n for n in sink_sandbox.status("default")["simulated"] if n.startswith("AWS::ECS::Service*: ")]
    assert "with an error other than 503 is stopped 3 s later" in note
    messages = [event["message"] for event in shop.service()["events"]]
    assert any("due to (reason Health checks failed with these codes: [500])" in text for text in messages)


def test_a_service_that_never_starts_is_gone_with_its_stacks_creation(shop: Shop) -> None:
    shop.push("live", version="one", behaviour="dies")
    stack = shop.deploy()

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert shop.ecs.list_clusters()["clusterArns"] == []
    assert list((shop.sandbox.state_dir / "containers").iterdir()) == []


def test_a_missing_image_stops_the_tasks_and_says_so(shop: Shop) -> None:
    shop.push("live", version="one")
    shop.deploy()
    stack = shop.deploy("never-pushed")

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert any(task["stoppedReason"].startswith("CannotPullContainerError") for task in shop.tasks("STOPPED"))
    assert shop.get()[1].startswith("one")


def test_a_task_that_a_person_stops_is_replaced(shop: Shop) -> None:
    """Long after the rollout, when nothing else makes the scheduler look."""
    shop.push("live")
    shop.deploy()
    (before,) = shop.tasks()

    shop.ecs.stop_task(cluster="c", task=before["taskArn"], reason="enough")

    wait_for(lambda: [task["taskArn"] for task in shop.tasks()] not in ([], [before["taskArn"]]), "another")
    wait_for(lambda: shop.get()[0] == 200, "its answer")
    (stopped,) = shop.ecs.describe_tasks(cluster="c", tasks=[before["taskArn"]])["tasks"]
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "enough")
    assert len(shop.tasks()) == 1


def test_scaling_starts_and_stops_processes_and_deleting_ends_them(shop: Shop) -> None:
    shop.push("live", version="one")
    shop.deploy(count=2)
    assert len(shop.tasks()) == 2
    shop.deploy(count=1)
    wait_for(lambda: len(shop.tasks()) == 1, "one task")

    shop.pipelines.stacks.delete_stack(StackName="shop")
    wait_for(lambda: not shop.pipelines.stacks.describe_stacks()["Stacks"], "the deletion")
    assert shop.get()[0] == 404


def test_with_a_certificate_the_address_still_opens_and_it_is_said_that_tls_is_not_played(
    shop: Shop,
) -> None:
    """On AWS the listener of port 80 leads to HTTPS; here nobody would answer there."""
    shop.push("live", version="one")
    secure = template("live", 1)
    secure["Resources"]["Secure"] = {
        "Type": "AWS::ElasticLoadBalancingV2::Listener",
        "Properties": {
            "LoadBalancerArn": {"Ref": "Balancer"},
            "Port": 443,
            "Protocol": "HTTPS",
            "Certificates": [{"CertificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/1"}],
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
        },
    }
    secure["Resources"]["Redirect"] = {
        "Type": "AWS::ElasticLoadBalancingV2::ListenerRule",
        "Properties": {
            "ListenerArn": {"Ref": "Listener"},
            "Priority": 1,
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["*"]}}],
            "Actions": [
                {
                    "Type": "redirect",
                    "RedirectConfig": {"Port": "443", "Protocol": "HTTPS", "StatusCode": "HTTP_301"},
                }
            ],
        },
    }

    shop.pipelines.stack("shop", secure)

    assert shop.get() == (200, f"one {HOST}:{shop.sandbox.port}")
    note = "AWS::ElasticLoadBalancingV2::Listener*: HTTPS is answered at the HTTP address, without TLS"
    assert note in sink_sandbox.status("default")["simulated"]
