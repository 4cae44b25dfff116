"""Before a release goes out: does the environment's template channel know what the app passes to it?

A platform change that brings a parameter reaches an app from two sides: its app template by ``update``, the
platform's own by the environment's channel. In an environment whose channel was not promoted yet, the
update would fail in CloudFormation, after the build.
"""

from __future__ import annotations

from the_sink.aws.session import Aws
from the_sink.config.nested import check_passed, nested_template_keys
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.deploy.templates import load_template
from the_sink.errors import ConfigError


def check_channel(aws: Aws, bucket: str, env: str, app_template: str) -> None:
    """Refuse a release that the platform's template in this environment cannot take; changes nothing.

    Args:
        aws: The environment's account.
        bucket: The platform's, where its templates lie.
        env: The environment's name.
        app_template: The text of the release's ``aws/cfn-template.yml``; one that cannot be read is
            refused by who reads it for its own sake.

    Raises:
        ConfigError: naming the parameter, and who must act.
    """
    template, problems = parse_template(app_template)
    if problems:
        return
    for key in nested_template_keys(template, env):
        if aws.objects.describe(bucket, key) is None:
            raise ConfigError(
                f"The platform has no template s3://{bucket}/{key}, which aws/cfn-template.yml nests.",
                f"In the platform's repository: invoke platform.publish{aws.target.flags}",
            )
        published, _ = parse_template(aws.objects.read(bucket, key).decode())
        declared, _ = read_parameters(published)
        newer = load_template("stacks/python/cfn-template.yml").parameters
        for problem in check_passed(template, declared, f"the platform's template in {env}", newer):
            raise ConfigError(
                str(problem),
                problem.hint
                or "The release is made for a newer platform than this environment has. In the platform's "
                f"repository: invoke {_command(env)}{aws.target.flags}",
            )


def _command(env: str) -> str:
    return "platform.publish" if env == "stage" else f"platform.promote --env {env}"
