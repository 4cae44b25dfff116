"""What the value of a stack parameter may be: the platform's own rules, then those of the app's template.

Each returns what is wrong, as the end of a sentence that begins with the parameter's name, or "".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from the_sink.config.stack_template import Parameter
from the_sink.naming import PYTHON_RUNTIMES

MEMORY_BY_CPU = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
"""The pairs that Fargate takes, CPU units to MiB:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html"""


def _whole(minimum: int, maximum: int | None = None) -> Callable[[str], str]:
    def check(value: str) -> str:
        number = int(value) if value.isascii() and value.isdigit() else None
        if number is not None and number >= minimum and (maximum is None or number <= maximum):
            return ""
        wanted = f"from {minimum} to {maximum}" if maximum is not None else f"of at least {minimum}"
        return f"is {_quoted(value)}; expected: a whole number {wanted}."

    return check


def _matching(pattern: str, expected: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        return "" if re.fullmatch(pattern, value) else f"is {_quoted(value)}; expected: {expected}."

    return check


def _runtime_version(value: str) -> str:
    if value == "3.1":
        return 'is "3.1", which 3.10 becomes wherever its quotes are lost; write "3.10".'
    if value not in PYTHON_RUNTIMES:
        return f"is {_quoted(value)}; the platform's runtimes are {', '.join(PYTHON_RUNTIMES)}."
    return ""


def _cpu(value: str) -> str:
    if value in map(str, MEMORY_BY_CPU):
        return ""
    return f"is {_quoted(value)}; Fargate takes {', '.join(map(str, MEMORY_BY_CPU))}."


RULES: Mapping[str, Callable[[str], str]] = {
    "RuntimeVersion": _runtime_version,
    "TaskCpu": _cpu,
    "TaskMemory": _whole(512, 122880),
    # Below 21 GiB Fargate's own 20 apply and the property is refused:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html
    "TaskEphemeralStorage": _whole(21, 200),
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
    "EcsAlbIdleTimeout": _whole(1, 4000),
    "InstancesCount": _whole(0),
    "EcrTag": _matching(r"\w[\w.-]{0,127}", "an image tag"),
    "RDSInstanceClass": _matching(r"none|db\.[a-z0-9.-]+", "none, or an instance class such as db.t4g.micro"),
    "RDSStorageType": _matching("gp2|gp3", "gp2 or gp3"),
    "RDSAllocatedStorage": _whole(20, 65536),
    "RDSEngineVersion": _matching(r"\d+(\.\d+)?", "a PostgreSQL version such as 16.3"),
    "UniqueDomainName": _matching(
        r"|(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "empty, or a domain name"
    ),
    "UniqueDomainNameCertificateArn": _matching(
        r"|arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/.+", "empty, or the ARN of a certificate"
    ),
    "InstancesMaximum": _whole(0),
    "HealthCheckGracePeriod": _matching(r"auto|\d{1,2}|[1-5]\d\d|600", "auto, or 0 to 600 seconds"),
    "AlarmTopicArn": _matching(
        r"|arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]+", "empty, or the ARN of an SNS topic"
    ),
    "RDSConnectionsAlarm": _whole(1),
}
"""By parameter name; parameters that a team adds have only the constraints of their template."""


def check_value(name: str, value: str, declared: Parameter | None) -> str:
    """Return what is wrong with one value, "" if nothing is."""
    rule = RULES.get(name)
    return (rule(value) if rule else "") or (_declared_problem(value, declared) if declared else "")


def check_task_size(values: Mapping[str, str]) -> str:
    """Return what is wrong with ``TaskCpu`` and ``TaskMemory`` together, each being right on its own."""
    cpu, memory = values.get("TaskCpu", ""), values.get("TaskMemory", "")
    if not (cpu.isascii() and cpu.isdigit() and memory.isascii() and memory.isdigit()):
        return ""
    sizes = MEMORY_BY_CPU.get(int(cpu), ())
    if not sizes or not 512 <= int(memory) <= 122880 or int(memory) in sizes:
        return ""
    return f"Fargate refuses TaskMemory {memory} with TaskCpu {cpu}; with {cpu} it takes {_range(sizes)}."


def check_instances(values: Mapping[str, str]) -> str:
    """Return what is wrong with ``InstancesCount`` and ``InstancesMaximum`` together: 0 is no maximum."""
    smallest, largest = values.get("InstancesCount", ""), values.get("InstancesMaximum", "")
    if not (smallest.isascii() and smallest.isdigit() and largest.isascii() and largest.isdigit()):
        return ""
    if int(largest) == 0 or int(smallest) <= int(largest):
        return ""
    return (
        f"InstancesMaximum {largest} is less than InstancesCount {smallest}, which autoscaling starts from; "
        "0 stands for no autoscaling."
    )


def lets_plain_text_in(engine_version: str) -> bool:
    """Return whether RDS leaves it to the client of a PostgreSQL to ask for TLS.

    ``rds.force_ssl`` is on by default from major version 15, off before:
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
    """
    major = engine_version.partition(".")[0]
    return major.isascii() and major.isdigit() and int(major) < 15


def _range(sizes: tuple[int, ...]) -> str:
    if len(sizes) <= 4:
        return ", ".join(map(str, sizes))
    return f"{sizes[0]} to {sizes[-1]} in steps of {sizes[1] - sizes[0]}"


def _declared_problem(value: str, declared: Parameter) -> str:
    if declared.allowed_values and value not in declared.allowed_values:
        return f"is {_quoted(value)}; its template allows {', '.join(declared.allowed_values)}."
    if declared.type == "Number":
        return _number_problem(value, declared)
    if declared.allowed_pattern and not _matches(declared.allowed_pattern, value):
        wanted = declared.constraint or f"text that matches {declared.allowed_pattern}"
        return f"is {_quoted(value)}; its template expects: {wanted.rstrip('.')}."
    if declared.min_length is not None and len(value) < declared.min_length:
        return f"is {_quoted(value)}; its template expects at least {declared.min_length} characters."
    if declared.max_length is not None and len(value) > declared.max_length:
        return f"has {len(value)} characters; its template allows {declared.max_length}."
    return ""


def _number_problem(value: str, declared: Parameter) -> str:
    try:
        number = float(value)
    except ValueError:
        return f"is {_quoted(value)}; its template expects a number."
    if declared.minimum is not None and number < declared.minimum:
        return f"is {_quoted(value)}; its template's smallest value is {declared.minimum:g}."
    if declared.maximum is not None and number > declared.maximum:
        return f"is {_quoted(value)}; its template's largest value is {declared.maximum:g}."
    return ""


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True  # CloudFormation reads Java's patterns; what Python cannot read is left to it


def _quoted(value: str) -> str:
    return f'"{value}"'
