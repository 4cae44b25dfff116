"""What must be done about a failure before the next deploy, by the words in which it is told (pure).

Each is the beginning of a sentence that its caller ends with how to deploy again.
"""

from __future__ import annotations

import re

from the_sink.diagnosis.exceptions import LoggedException
from the_sink.diagnosis.failed_tasks import FailedTask
from the_sink.diagnosis.runtime_words import ended_beside, is_about_secret, is_not_heard, is_release_failure
from the_sink.models import StackEvent
from the_sink.naming import Names

# CloudFormation's words: https://github.com/aws-samples/amazon-ec2-image-builder-samples/issues/18
_UNKNOWN_PARAMETERS = re.compile(r"Parameters: \[([^\]]+)\] do not exist in the template")
# CloudFormation's words, https://github.com/aws-cloudformation/aws-cloudformation-templates/issues/263, and
# the sandbox's.
_NO_CERTIFICATE = re.compile(r"(?:No export named |Export ')[\w:-]+-CertificateArn(?: found|' not found)")

MEND = "Mend the cause, commit"


def hint_for_stack(cause: StackEvent | None, said: str, env: str, flags: str) -> str:
    """Return what helps a stack that failed.

    Args:
        cause: The first event that failed, where one is known.
        said: What is said of it.
        env: The environment.
        flags: What a command ends with to mean the same AWS.
    """
    if _NO_CERTIFICATE.search(said):
        return (
            "The platform has no certificate for UsePlatformCertificate. In the platform's repository: "
            f"invoke platform.bootstrap --parameter CertificateArn=<its ARN>{flags}"
        )
    found = _UNKNOWN_PARAMETERS.search(cause.reason) if cause else None
    if cause is None or found is None or not cause.is_nested_stack:
        return MEND
    command = "platform.publish" if env == "stage" else f"platform.promote --env {env}"
    return (
        f"The platform's template in {env} does not know {found[1]} yet. In the platform's repository: "
        f"invoke {command}{flags}"
    )


def hint_for_build(fault: str, exception: LoggedException | None, names: Names, flags: str) -> str:
    """Return what helps a build that failed.

    Args:
        fault: What app-init or container-init said in it.
        exception: The last that a program raised in it.
        names: Of the app in the environment.
        flags: What a command ends with to mean the same AWS.
    """
    return _mend_settings(fault, exception, names, flags) or "Mend it, commit"


def hint_for_task(failed: FailedTask | None, names: Names, flags: str) -> str:
    """Return what helps a task that ended.

    Args:
        failed: The task, where one is known.
        names: Of the app in the environment.
        flags: What a command ends with to mean the same AWS.
    """
    task, fault = (failed.task, failed.fault) if failed else (None, "")
    if mend := _mend_settings(fault, failed.exception if failed else None, names, flags):
        return mend
    if is_release_failure(fault):
        return (
            "The `release:` command of the Procfile failed, before anything was served: see above what the "
            "migration said, mend it, commit"
        )
    if is_not_heard(fault):
        return "Let the `web:` command of the Procfile listen on $HOST and $PORT, commit"
    if task is not None and task.is_out_of_memory:
        file = f"aws/cfn-template-configuration-{names.env}.json"
        return f"Give it more in {file} (TaskMemory), or mend the leak, commit"
    if task is not None and task.has_ended_itself and task.exit_code == 0:
        name = ended_beside(fault) or "web"
        return f"Let the `{name}:` command of the Procfile stay in the foreground, commit"
    return MEND


def _mend_settings(fault: str, exception: LoggedException | None, names: Names, flags: str) -> str:
    if is_about_secret(fault):
        return f"Mend the secret {names.secret}; nothing needs to be committed"
    if exception and exception.is_about_settings:
        return (
            f"Give the setting a right value in the secret {names.secret} and run `invoke deploy --env "
            f"{names.env}{flags} --again`, nothing needs to be committed; or give it a default, commit"
        )
    return ""
