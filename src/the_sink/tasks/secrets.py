"""The tasks of an app's secret values; no value is ever printed.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from invoke.context import Context

from the_sink.errors import InputError, NotFound
from the_sink.tasks import flags
from the_sink.tasks.decorator import task
from the_sink.tasks.own_layout import load_own_app


@task
def pull(_c: Context, env: str = "", sandbox: bool = False, yes: bool = False) -> None:
    """Write an environment's secret values into app/.env, as its tasks get them; prints names only.

    Args:
        env: Whose values; those of prod only with --yes.
        sandbox: Take them from the sandbox of this machine instead of AWS.
        yes: Overwrite an app/.env that differs without asking; take prod's values.
    """
    from the_sink.local import env_file
    from the_sink.naming import Names
    from the_sink.report import lines
    from the_sink.tasks.asking import confirm
    from the_sink.tasks.connection import connect_to

    settings = load_own_app("secrets.pull")
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    if environment.name == "prod" and not yes:
        raise InputError(
            "The values of prod do not belong on a laptop; nothing was read.",
            "Take stage's, or say that you mean it: add --yes.",
        )
    env_file.require_ignored(settings.root)
    name = Names(settings.app, environment.name).secret
    secrets = connect_to(environment, sandbox=sandbox, quiet=True).secrets
    found = secrets.describe(name)
    if found is None or found.is_scheduled_for_deletion:
        what = "is waiting for its deletion" if found else "does not exist"
        flag = " --sandbox" if sandbox else ""
        raise NotFound(
            f"The secret {name} {what}.", f"Run invoke bootstrap --env {environment.name}{flag} first."
        )
    text, names = env_file.render_secret(secrets.read(name), name, settings.root)
    if env_file.differs(settings.root, text):
        if not names:
            # As bootstrap leaves it: nobody means to empty a laptop's settings with that.
            raise InputError(
                f"The secret {name} holds no values yet; {env_file.FILE} stays as it is.",
                "Give it values first (aws secretsmanager put-secret-value), then pull them.",
            )
        confirm(f"Overwrite {env_file.FILE}, which differs from {name}", yes=yes)
    env_file.write(settings.root, text)
    counted = "1 value" if len(names) == 1 else f"{len(names)} values"
    lines.say(f"Wrote {env_file.FILE}: {counted} of {name}.")
    for variable in names:
        lines.data(variable)
