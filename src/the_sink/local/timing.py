"""The modelled rollout of each environment of an app, from its files and the installed platform's stacks."""

from __future__ import annotations

from typing import Any

from the_sink.config.rollout import Timing, model_rollout
from the_sink.config.settings import Settings
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.config.validation import platform_parameters
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


def _shipped(name: str) -> dict[str, Any]:
    text = resource_path(f"stacks/python/{name}").read_text(encoding="utf-8")
    return parse_template(text, f"stacks/python/{name}")[0]
