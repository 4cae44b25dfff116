"""Service Quotas: how much of something an account may have."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated

CODEBUILD = "codebuild"
CONCURRENT_BUILDS = {"X86_64": "L-9D07B6EF", "ARM64": "L-5ED1D25B"}
"""The quotas "Concurrently running builds for Linux/Small environment" and "… for ARM/Small environment", by
the processor that a pipeline builds on: BUILD_GENERAL1_SMALL is what stacks/python/pipeline.yml asks for
(https://docs.aws.amazon.com/general/latest/gr/codebuild.html)."""

_UNKNOWN = "NoSuchResourceException"


@translated("Service Quotas")
class Quotas:
    """The quotas of an account and region."""

    # Any: types of Service Quotas alone would be a dependency of their own for one call.
    def __init__(self, client: Any, target: Target) -> None:
        self._client = client
        self._target = target

    def concurrent_builds(self, architecture: str) -> int | None:
        """Return how many builds of the smallest machine CodeBuild runs at once.

        https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html

        Args:
            architecture: As in :data:`the_sink.naming.ARCHITECTURES`.

        Returns:
            None in the sandbox, which has no quotas, and where the region has no such quota.
        """
        if self._target.is_sandbox:
            return None
        try:
            found = self._client.get_service_quota(
                ServiceCode=CODEBUILD, QuotaCode=CONCURRENT_BUILDS[architecture]
            )
        except ClientError as error:
            if error_code(error) == _UNKNOWN:
                return None
            raise
        return int(found["Quota"]["Value"])
