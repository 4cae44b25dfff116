"""Archives: that a new one is told of, and keeps the version that a run was started with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_the_bucket_that_pipelines_listen_to_tells_of_new_objects_and_keeps_their_versions(
    stack: Callable[..., Any],
) -> None:
    platform, delivery = stack("platform"), stack("pipeline")
    (listened,) = delivery.properties("ArchiveRule")["EventPattern"]["detail"]["bucket"]["name"]
    (bucket,) = (
        output["Value"].strip("<>")
        for output in platform.outputs.values()
        if "Export" in output and listened == f"<import {output['Export']['Name']}>"
    )

    events = platform.properties(bucket)["NotificationConfiguration"]["EventBridgeConfiguration"]
    assert events == {"EventBridgeEnabled": True}
    assert platform.properties(bucket)["VersioningConfiguration"] == {"Status": "Enabled"}
