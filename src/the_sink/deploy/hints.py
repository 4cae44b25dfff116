"""What must be done about a failure before the next deploy, by the words in which it is told (pure).

Each is the beginning of a sentence that its caller ends with how to deploy again.
"""

from __future__ import annotations

import re

from the_sink.deploy.runtime_words import is_about_secret, is_not_heard, is_release_failure
from the_sink.models import StackEvent, Task

# CloudFormation's words: https://github.com/aws-samples/amazon-ec2-image-builder-samples/issues/18
_UNKNOWN_PARAMETERS = re.compile(r"Parameters: \[([^\]]+)\] do not exist in the template")


MEND = "Mend the cause, commit"


def hint_for_stack(cause: StackEvent | None, env: str, flags: str) -> str:
    """Return what helps a stack that failed.

    Args:
        cause: The first event that failed.
        env: The environment.
        flags: What a command ends with to mean the same AWS.
    """
    found = _UNKNOWN_PARAMETERS.search(cause.reason) if cause else None
    if cause is None or found is None or not cause.is_nested_stack:
        return MEND
    command = "platform.publish" if env == "stage" else f"platform.promote --env {env}"
    return (
        f"The platform's template in {env} does not know {found[1]} yet. In the platform's repository: "
        f"invoke {command}{flags}"
    )


def hint_for_build(fault: str, secret: str) -> str:
    """Return what helps a build that failed, by what app-init or container-init said in it."""
    return _mend_secret(secret) if is_about_secret(fault) else "Mend it, commit"


def hint_for_task(task: Task | None, fault: str, env: str, secret: str) -> str:
    """Return what helps a task that ended.

    Args:
        task: The task, where one is known.
        fault: What container-init said of it.
        env: The environment.
        secret: The environment's secret.
    """
    if is_about_secret(fault):
        return _mend_secret(secret)
    if is_release_failure(fault):
        return (
            "The `release:` command of the Procfile failed, before anything was served: see above what the "
            "migration said, mend it, commit"
        )
    if is_not_heard(fault):
        return "Let the `web:` command of the Procfile listen on $HOST and $PORT, commit"
    if task is not None and task.is_out_of_memory:
        file = f"aws/cfn-template-configuration-{env}.json"
        return f"Give it more in {file} (TaskMemory), or mend the leak, commit"
    if task is not None and task.has_ended_itself and task.exit_code == 0:
        return "Let the `web:` command of the Procfile stay in the foreground, commit"
    return MEND


def _mend_secret(secret: str) -> str:
    return f"Mend the secret {secret}; nothing needs to be committed"
