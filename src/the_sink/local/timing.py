"""The modelled rollout of each environment of an app, from its files and the installed platform's stacks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from the_sink.checks.rollout import Timing, model_rollout
from the_sink.checks.validation import platform_parameters
from the_sink.config.environment_file import file_name
from the_sink.config.problems import Problem
from the_sink.config.settings import Settings
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.resources import resource_path


def model_environments(settings: Settings) -> dict[str, Timing]:
    """Return the timing of each environment that nests the platform's stack, by its name.

    Raises:
        ConfigError: an environment's file or the app's template is malformed.
    """
    stack, pipeline = _shipped("cfn-template.yml"), _shipped("pipeline.yml")
    declared, _ = read_parameters(stack)
    found = {env: platform_parameters(settings, env, declared) for env in settings.environment_names}
    return {
        env: model_rollout(stack, pipeline, parameters) for env, parameters in found.items() if parameters
    }


def check_rollouts(timings: Mapping[str, Timing]) -> list[Problem]:
    """Return a warning for each environment whose pipeline fails while ECS still tries a bad release."""
    return [
        Problem(
            file_name(env),
            f"a release that never becomes healthy is rolled back after {timing.gives_up_s} s at most, "
            f"and after {timing.pipeline_waits_s} s the pipeline fails while ECS goes on trying.",
            f"Lower HealthCheckGracePeriod by {math.ceil(excess_s / timing.failures)} s.",
            is_warning=True,
        )
        for env, timing in timings.items()
        if (excess_s := timing.gives_up_s - timing.pipeline_waits_s) > 0
    ]


def _shipped(name: str) -> dict[str, Any]:
    text = resource_path(f"stacks/python/{name}").read_text(encoding="utf-8")
    return parse_template(text, f"stacks/python/{name}")[0]
