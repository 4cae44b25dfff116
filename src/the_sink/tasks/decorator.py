"""The ``task`` decorator behind every task of ours: Invoke's traps, settled once.

Each was tried with Invoke 3.0.3. A parameter without a default is positional, so that
``deploy --help`` would run deploy with ``env="--help"``; its core ``--dry`` and ``-R`` would leave a
task of ours running for real; one-letter flags are handed out by the order of parameters. Here every
parameter is an option, ``--dry`` means ``--dry-run``, option help is the docstring's ``Args`` section,
and our errors become one line, a hint and an exit code. Bugs keep their tracebacks.

Imported by ``invoke --list``: nothing here may import more than Invoke itself has.
"""

from __future__ import annotations

import errno
import functools
import inspect
import os
import re
import select
import sys
from collections.abc import Callable
from typing import Any, overload

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from the_sink.errors import InputError, Interrupted, SinkError
from the_sink.tasks.docstrings import docstring_of
from the_sink.tasks.flags import FLAGS

Body = Callable[..., Any]

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

_INTERRUPTED_EXIT_CODE = 130
"""128 + SIGINT, as shells count."""

_CLOSED_PIPE_EXIT_CODE = 141
"""128 + SIGPIPE, as shells count: the reader of our output went away (``invoke history | head``)."""

_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Examples?|Note):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {4}(\w+):[ ]*(.*(?:\n {5,}\S.*)*)", re.MULTILINE)


class _NotGiven(str):
    """The value of an option that was not typed: empty like ``--commit ""``, and told apart from it."""

    __slots__ = ()


class SinkTask(Task[Body]):
    """A task whose one-letter flags come from the table of flags, not from the order of parameters."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the options, each time: Invoke takes their help out of the task the first time."""
        texts = dict(self.help)
        try:
            return super().get_arguments(ignore_unknown_help)
        finally:
            self.help = texts

    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        """Add the flag's own short form to what Invoke knows of it, and mark a default as one."""
        opts = super().arg_opts(name, default, taken_names)
        if opts.get("default") == "":
            opts["default"] = _NotGiven()
        if name in FLAGS and FLAGS[name].short:
            opts["names"].append(FLAGS[name].short)
        return opts


@overload
def task(body: Body, /) -> SinkTask: ...
@overload
def task(
    *,
    name: str | None = None,
    default: bool = False,
    iterable: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
) -> Callable[[Body], SinkTask]: ...
def task(
    body: Body | None = None,
    /,
    *,
    name: str | None = None,
    default: bool = False,
    iterable: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
) -> SinkTask | Callable[[Body], SinkTask]:
    """Make a function a task of the platform.

    Its first parameter is Invoke's context, every other one an option with a default: ``""`` for text
    and numbers (see :mod:`the_sink.tasks.flags` for reading them), ``False`` for a switch. The first
    docstring line is its help in ``invoke --list``; the ``Args`` section is the help of its options,
    which the shared ones (``--env``, ``--sandbox``, …) may leave to the table.

    Args:
        body: The function, where the decorator is used without parentheses.
        name: What it is called on the command line, where that is no Python name or is taken.
        default: Whether its collection's name alone runs it.
        iterable: Parameters that may be given several times; their default is None, they arrive as a list.
        aliases: Further names.

    Raises:
        TypeError: the function breaks one of these rules; a mistake of its author's.
    """

    def make(function: Body) -> SinkTask:
        parameters = _checked_parameters(function, iterable)
        return SinkTask(
            _guarded(function, "dry_run" in parameters),
            name=name,
            default=default,
            aliases=aliases,
            iterable=iterable,
            positional=[],
            auto_shortflags=False,
            help=_option_help(function, parameters, iterable),
        )

    return make if body is None else make(body)


def _checked_parameters(function: Body, iterable: tuple[str, ...]) -> list[str]:
    """Return the option names, having seen that each is optional and means what its name means."""
    found = list(inspect.signature(function).parameters.values())[1:]
    for parameter in found:
        if parameter.default is inspect.Parameter.empty:
            raise TypeError(
                f"{function.__qualname__}: {parameter.name} needs a default, it would be positional"
            )
        if parameter.name in iterable and parameter.default is not None:
            # Invoke takes the default's type for the kind: a tuple would be a single value.
            raise TypeError(f"{function.__qualname__}: {parameter.name} must default to None, to be a list")
        shared = FLAGS.get(parameter.name)
        if shared is not None and parameter.default != shared.default:
            raise TypeError(f"{function.__qualname__}: {parameter.name} must default to {shared.default!r}")
        if isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool):
            raise TypeError(f"{function.__qualname__}: {parameter.name} must be text, parsed by the task")
    return [parameter.name for parameter in found]


def _option_help(function: Body, parameters: list[str], iterable: tuple[str, ...]) -> dict[str, str]:
    """Return help for every parameter, from the docstring or else from the table of flags."""
    parts = _SECTION.split(docstring_of(function))
    documented: dict[str, str] = {}
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        if title == "Args":
            documented = {name: " ".join(words.split()) for name, words in _ARGUMENT.findall(text)}
    unknown = set(documented) - set(parameters)
    missing = set(parameters) - set(documented) - set(FLAGS)
    if unknown or missing:
        raise TypeError(f"{function.__qualname__}: Args and parameters differ: {sorted(unknown | missing)}")
    texts = {name: documented.get(name) or FLAGS[name].help for name in parameters}
    return {name: text + " May be repeated." * (name in iterable) for name, text in texts.items()}


def _guarded(function: Body, has_dry_run: bool) -> Body:
    """Wrap ``function`` so that what a user can cause ends in a sentence and an exit code."""

    @functools.wraps(function)
    def run(context: Context, *args: Any, **kwargs: Any) -> Any:
        try:
            if context.config.run.dry:
                if not has_dry_run:
                    raise InputError(
                        f"{function.__name__.replace('_', '-')} has no dry run, so -R and --dry are refused.",
                        "Run it without them.",
                    )
                kwargs["dry_run"] = True
            _refuse_empty(kwargs)
            result = function(context, *args, **kwargs)
            sys.stdout.flush()
            return result
        except SinkError as error:
            if kwargs.get("json"):
                _print_error(error)
            raise Exit(_told(error), error.exit_code) from error
        except KeyboardInterrupt as error:
            told = error if isinstance(error, Interrupted) else Interrupted("Interrupted.")
            raise Exit(_told(told), _INTERRUPTED_EXIT_CODE) from None
        except BrokenPipeError:
            if not _output_is_closed():
                raise
            # Python would flush into the closed pipe once more as it exits, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=_CLOSED_PIPE_EXIT_CODE) from None
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            where = f" that holds {error.filename}" if error.filename else ""
            raise Exit(f"The disk{where} is full.\nMake room, then run the same command again.", 1) from error

    # Invoke prints the docstring under "Docstring:"; its sections are already the options' help.
    run.__doc__ = _SECTION.split(docstring_of(function))[0].strip()
    return run


def _told(error: SinkError | Interrupted) -> str:
    """Return what Invoke writes of an error: it may quote a commit's subject, or words of AWS's."""
    from the_sink.report.terminal import visible

    return visible("\n".join(filter(None, (error.message, error.hint))))


def _print_error(error: SinkError) -> None:
    """Tell a script in its own form what a person is told on standard error."""
    from the_sink.report import lines

    lines.data_as_json({"ok": False, "error": error.message, "hint": error.hint})


def _refuse_empty(values: dict[str, Any]) -> None:
    """Refuse ``--commit "$UNSET"``: it looks like a choice and would act as if none had been made."""
    for name, value in values.items():
        if isinstance(value, str) and not value.strip() and not isinstance(value, _NotGiven):
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} is empty.", f"Give it a value, or leave {flag} out; an unset variable?")


def _output_is_closed() -> bool:
    """Say whether nobody reads standard output any more (and no socket of ours is what broke)."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return bool(poll.poll(0))
