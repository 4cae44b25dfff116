"""The tasks of an environment's secret values; ``secrets.list --values`` alone prints one.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.errors import InputError
from the_sink.tasks import flags
from the_sink.tasks.decorator import task
from the_sink.tasks.own_layout import load_own_app

if TYPE_CHECKING:
    from the_sink.aws.session import Aws
    from the_sink.config import Settings
    from the_sink.naming import Names


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
    from the_sink.verbs.secrets import require_secret

    settings = load_own_app("secrets.pull")
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    if environment.name == "prod" and not yes:
        raise InputError(
            "The values of prod do not belong on a laptop; nothing was read.",
            "Take stage's, or say that you mean it: add --yes.",
        )
    env_file.require_ignored(settings.root)
    app = Names(settings.app, environment.name)
    name = app.secret
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    require_secret(aws, app)
    text, names = env_file.render_secret(aws.secrets.read(name).text, name, settings.root)
    if env_file.differs(settings.root, text):
        if not names:
            # As bootstrap leaves it: nobody means to empty a laptop's settings with that.
            raise InputError(
                f"The secret {name} holds no values yet; {env_file.FILE} stays as it is.",
                "Give it values first (invoke secrets.set), then pull them.",
            )
        confirm(f"Overwrite {env_file.FILE}, which differs from {name}", yes=yes)
    env_file.write(settings.root, text)
    counted = "1 value" if len(names) == 1 else f"{len(names)} values"
    lines.say(f"Wrote {env_file.FILE}: {counted} of {name}.")
    for variable in names:
        lines.data(variable)


@task(name="list")
def list_(_c: Context, env: str = "", values: bool = False, sandbox: bool = False, yes: bool = False) -> None:
    """Show the names of an environment's secret values.

    Args:
        env: Whose names.
        values: The values too, as lines of an .env file; those of prod only with --yes.
        sandbox: Those of the sandbox of this machine instead of AWS.
        yes: Show prod's values without asking.
    """
    from the_sink.local import env_file
    from the_sink.report import lines
    from the_sink.tasks.asking import confirm
    from the_sink.verbs.secrets import read_secret

    place = _find_place(env, sandbox=sandbox)
    if values and place.names.env == "prod":
        confirm("Show the secret values of prod", yes=yes)
    secret = read_secret(place.aws, place.names, place.settings.root)
    if not secret.values:
        lines.say(f"The secret {secret.name} holds no values yet.")
    elif values:
        text, _ = env_file.render_secret(secret.before.text, secret.name, place.settings.root)
        lines.data(text.removesuffix("\n"))
    else:
        for name in secret.values:
            lines.data(name)


@task(name="set")
def set_(
    _c: Context,
    name: str = "",
    env: str = "",
    file: str = "",
    restart: bool = False,
    sandbox: bool = False,
    yes: bool = False,
) -> None:
    """Give one of an environment's secret values a new value, read from a hidden prompt or standard input.

    Args:
        name: The setting's name; the others stay as they are.
        env: The environment.
        file: Take the value from this file.
        restart: Start the tasks again afterwards, so that they get it.
        sandbox: Set it in the sandbox of this machine instead of AWS.
        yes: Change prod without asking.
    """
    from the_sink.local import env_file
    from the_sink.report import lines
    from the_sink.tasks.asking import confirm
    from the_sink.tasks.secret_value import read_value
    from the_sink.verbs.secrets import require_secret, set_value

    _require_name(name)
    place = _find_place(env, sandbox=sandbox)
    env_file.check_setting(name, "", place.settings.root)
    require_secret(place.aws, place.names)
    if place.names.env == "prod":
        confirm(f"Set {name} in prod", yes=yes)
    value = read_value(name, place.names.env, file)
    before = set_value(place.aws, place.names, place.settings.root, name, value)
    if before is None:
        lines.data(f"{name} has that value in {place.names.secret} already; nothing was changed.")
    else:
        done = "Changed" if name in before.values else "Added"
        lines.data(f"{done} {name} in {place.names.secret}; the other values stay as they were.")
    _offer_restart(place, restart=restart, is_changed=before is not None)


@task
def unset(
    _c: Context,
    name: str = "",
    env: str = "",
    restart: bool = False,
    sandbox: bool = False,
    yes: bool = False,
) -> None:
    """Take one of an environment's secret values away.

    Args:
        name: The setting's name; the others stay as they are.
        env: The environment.
        restart: Start the tasks again afterwards, so that they lose it.
        sandbox: Take it out of the sandbox of this machine instead of AWS.
        yes: Change prod without asking.
    """
    from the_sink.report import lines
    from the_sink.tasks.asking import confirm
    from the_sink.verbs.secrets import unset_value

    _require_name(name)
    place = _find_place(env, sandbox=sandbox)
    if place.names.env == "prod":
        confirm(f"Take {name} away from prod", yes=yes)
    unset_value(place.aws, place.names, place.settings.root, name)
    lines.data(f"Took {name} out of {place.names.secret}; the other values stay as they were.")
    _offer_restart(place, restart=restart, is_changed=True)


@task
def diff(_c: Context, env: str = "", sandbox: bool = False) -> None:
    """Compare the names in .env.example with those of an environment's secret; no value is shown.

    Args:
        env: The environment.
        sandbox: Look into the sandbox of this machine instead of AWS.
    """
    from the_sink.local import env_file
    from the_sink.report import lines
    from the_sink.verbs.secrets import compare

    place = _find_place(env, sandbox=sandbox)
    root = place.settings.root
    example = env_file.find_example(root)
    found = compare(place.aws, place.names, root, env_file.read_names(root / example))
    for name in found.missing:
        lines.data(f"- {name}  (in {example}, not in {place.names.secret})")
    for name in found.more:
        lines.data(f"+ {name}  (in {place.names.secret}, not in {example})")
    if not found.missing and not found.more:
        lines.say(f"{example} and {place.names.secret} have the same names.")


@dataclass(frozen=True)
class _Place:
    """The environment whose values are meant."""

    settings: Settings
    aws: Aws
    names: Names


def _find_place(env: str, *, sandbox: bool) -> _Place:
    from the_sink.config import load_app
    from the_sink.naming import Names
    from the_sink.tasks.connection import connect_to

    settings = load_app()
    environment = settings.environment(flags.required_env(env, settings.environment_names))
    aws = connect_to(environment, sandbox=sandbox, quiet=True)
    return _Place(settings, aws, Names(settings.app, environment.name))


def _require_name(name: str) -> None:
    if not name:
        raise InputError("--name is missing.", "Name the setting, for example: --name API_KEY.")
    if "=" in name:
        raise InputError(
            "--name takes the name alone: a value in an argument ends up in the shell's history.",
            "Leave out what begins with the equals sign; the value is asked for.",
        )


def _offer_restart(place: _Place, *, restart: bool, is_changed: bool) -> None:
    """Say or do what makes a change effective in the tasks that run."""
    import sys

    from the_sink.report import lines
    from the_sink.report.events import watch
    from the_sink.verbs import restart as verb

    names = place.names
    deploy = f"invoke deploy --env {names.env} --again{place.aws.target.flags}"
    if place.settings.secrets_delivery == "image":
        if is_changed or restart:
            lines.say(f"The values are part of the image here, so a new one has to be built. Next: {deploy}")
        return
    if not restart and is_changed and sys.stdin.isatty():
        answer = lines.ask(f"Restart the tasks of {names.env} now, so that they get it? [y/N]")
        restart = answer.strip().lower() in {"y", "yes"}
    if restart:
        running = watch(verb.restart(place.aws, names))
        lines.data(f"{names.service} was restarted: {running} running.")
    elif is_changed:
        lines.say(f"Tasks that run keep what they had until they start again. Next: {deploy}")
