"""The app's secret: a JSON object whose keys are environment variables."""

from __future__ import annotations

import json
import re

from sink_runtime.env_file import NAME
from sink_runtime.layout import Refusal

VARIABLE = "SINK_SECRET_CORE"
"""How the secret arrives: the whole JSON text, put there by ECS or by the build."""

_LOADER = re.compile(r"LD_\w+|DYLD_\w+|GCONV_PATH|GLIBC_TUNABLES")
"""What tells the dynamic linker and the C library whose code to load: ld.so(8), iconv(1)."""

_INTERPRETER = frozenset(
    {"PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX"}
    | {"PYTHONSTARTUP", "PYTHONBREAKPOINT", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONEXECUTABLE"}
    | {"PYTHON_PRESITE", "PYTHONCASEOK"}
)
"""What tells Python whose modules to import: https://docs.python.org/3/using/cmdline.html#environment-variables

Those that only change how it runs (PYTHONUNBUFFERED, PYTHONHASHSEED, PYTHONUTF8, …) stay free.
"""

_SHELL = frozenset({"BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4"})
"""What tells the shell, which runs the lines of the Procfile, what to run before or instead of them.

PATH is not among them: the image's own wins over a secret's.
"""

_KINDS = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def parse_secret(text: str) -> dict[str, str]:
    """Return the secret's values; ``{}`` is a secret without any.

    Raises:
        Refusal: it is not such an object. Keys are named, values never.
    """
    if not text.strip():
        raise Refusal("The secret has no text; it must be a JSON object, {} at least.")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Where the mistake is, and nothing of what stands there.
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refusal(f"The secret is not JSON{place}; it must be an object such as {{}}.") from None
    if not isinstance(values, dict):
        raise Refusal(f"The secret is {_kind(values)}; it must be a JSON object such as {{}}.")
    for name, value in values.items():
        _check(name, value)
    return values


def refuse_steering(name: str, source: str) -> None:
    """Refuse a name that decides which code is loaded: whoever may write settings does not choose that.

    Args:
        name: A setting's.
        source: Where it stands, to begin the sentence with.

    Raises:
        Refusal: it is one of them.
    """
    if _LOADER.fullmatch(name) or name in _INTERPRETER | _SHELL:
        raise Refusal(
            f"{source} sets {name}, which decides what code the task loads; settings may not. "
            "Set it in the Procfile's command or the task definition, which are reviewed."
        )


def _check(name: str, value: object) -> None:
    if not NAME.fullmatch(name):
        raise Refusal(
            f"The secret's key {name!r} cannot name an environment variable: "
            "letters, digits and underscores are allowed, and no digit first."
        )
    refuse_steering(name, "The secret")
    if not isinstance(value, str):
        raise Refusal(f"The secret's value of {name} is {_kind(value)}; it must be a string.")
    if "\0" in value:
        raise Refusal(f"The secret's value of {name} has a NUL character, which no environment can hold.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal(f"The secret's value of {name} has half of a surrogate pair: it is no text.") from None


def _kind(value: object) -> str:
    return "null" if value is None else "a string" if isinstance(value, str) else _KINDS[type(value)]
