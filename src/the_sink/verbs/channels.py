"""Before a release goes out: does the environment's template channel know what the app passes to it?

A platform change that brings a parameter reaches an app from two sides: its app template by ``update``, the
platform's own by the environment's channel. In an environment whose channel was not promoted yet, the
update would fail in CloudFormation, after the build.
"""

from __future__ import annotations

from the_sink.aws.session import Aws
from the_sink.checks.nested import check_passed, check_values, nested_template_keys, read_platform_stack
from the_sink.checks.validation import BUILDSPEC_FILE, calls_sink_build
from the_sink.config.environment_file import EnvironmentFile, file_name, parse_environment_file
from the_sink.config.files import Files
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.errors import ConfigError
from the_sink.models import Stack
from the_sink.resources import resource_path


def check_channel(aws: Aws, bucket: str, env: str, files: Files) -> None:
    """Refuse a release that the platform's template in this environment cannot take; changes nothing.

    Args:
        aws: The environment's account.
        bucket: The platform's, where its templates lie.
        env: The environment's name.
        files: The release's ``aws/cfn-template.yml`` and the environment's configuration file; one that
            cannot be read is refused by who reads it for its own sake.

    Raises:
        ConfigError: naming the parameter or the output, and who must act.
    """
    template, problems = parse_template(files.read(TEMPLATE_FILE)[0])
    if problems:
        return
    own, _ = read_parameters(template)
    text, missing = files.read(file_name(env))
    content = EnvironmentFile() if missing else parse_environment_file(text, file_name(env))[0]
    for key in nested_template_keys(template, env):
        if aws.objects.describe(bucket, key) is None:
            raise ConfigError(
                f"The platform has no template s3://{bucket}/{key}, which aws/cfn-template.yml nests.",
                f"In the platform's repository: invoke platform.publish{aws.target.flags}",
            )
        published = read_platform_stack(aws.objects.read(bucket, key).decode())
        newer = read_platform_stack(resource_path("stacks/python/cfn-template.yml").read_text("utf-8"))
        found = check_passed(template, published, f"the platform's template in {env}", newer)
        for problem in [*found, *check_values(env, template, own, content, published)]:
            raise ConfigError(
                str(problem),
                problem.hint
                or "The release is made for a newer platform than this environment has. In the platform's "
                f"repository: invoke {_command(env)}{aws.target.flags}",
            )


def check_sink_build(env: str, files: Files, pipeline: Stack, flags: str) -> None:
    """Refuse a release whose build its pipeline does not know how to start.

    Args:
        env: The environment's name.
        files: The release's ``aws/buildspec.yaml``.
        pipeline: The environment's pipeline stack; its output ``SinkBuildKey`` says what builds fetch.
        flags: What a command ends with to mean the same AWS.

    Raises:
        ConfigError: the pipeline was bootstrapped before there was ``sink-build``.
    """
    if calls_sink_build(files) and not pipeline.outputs.get("SinkBuildKey"):
        raise ConfigError(
            f"{BUILDSPEC_FILE} calls sink-build, which the builds of {pipeline.name} are not given yet.",
            f"Bring the pipeline up to date: invoke bootstrap --env {env}{flags}; then deploy again.",
        )


def _command(env: str) -> str:
    return "platform.publish" if env == "stage" else f"platform.promote --env {env}"
