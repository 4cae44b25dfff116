"""Values that are each right and together refused: by the platform's stack, or by AWS in mid-deploy."""

from __future__ import annotations

from collections.abc import Callable

from the_sink.checks.effective import Effective
from the_sink.config.environment_file import file_name
from the_sink.config.problems import Problem

Find = Callable[[str], Effective | None]
"""Returns what a parameter of the platform's stack will have, None where the files do not tell."""


def check_combinations(env: str, find: Find) -> list[Problem]:
    """Return what the values of an environment, taken together, will be refused for.

    Args:
        env: The environment's name.
        find: Finds the values.
    """
    return [*_check_encryption(env, find), *_check_storage(env, find)]


def _check_encryption(env: str, find: Find) -> list[Problem]:
    """The stack's rule IsInternetEncrypted refuses the same, once the release is built."""
    scheme = find("EcsAlbScheme")
    own, platforms = find("UniqueDomainNameCertificateArn"), find("UsePlatformCertificate")
    if scheme is None or own is None or platforms is None or scheme.value != "internet-facing":
        return []
    if own.value or platforms.value == "true":
        return []
    return [
        Problem(
            scheme.file,
            "EcsAlbScheme is internet-facing, and the load balancer would have no certificate: what people "
            "send it could be read on its way.",
            f'Give it one in {file_name(env)}: "UniqueDomainNameCertificateArn", or '
            '"UsePlatformCertificate": "true" (docs/how-to/serve-https.md).',
        )
    ]


def _check_storage(env: str, find: Find) -> list[Problem]:
    """RDS grows storage only up to a number that is at least a tenth more than what is allocated.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
    """
    instance, allocated, most = (
        find(name) for name in ("RDSInstanceClass", "RDSAllocatedStorage", "RDSMaxAllocatedStorage")
    )
    if instance is None or allocated is None or most is None or instance.value == "none":
        return []
    if not (allocated.value.isdecimal() and most.value.isdecimal()) or int(most.value) == 0:
        return []
    least = -(-int(allocated.value) * 11 // 10)
    if int(most.value) >= least:
        return []
    return [
        Problem(
            most.file,
            f"RDSMaxAllocatedStorage is {most.value}, and RDSAllocatedStorage is {allocated.value}: RDS lets "
            "storage grow only if it may grow by a tenth at least.",
            f"Write {least} or more into {file_name(env)}, or 0 for storage that does not grow.",
        )
    ]
