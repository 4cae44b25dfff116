"""The reference pages read off the platform's own files: questions, parameters, outputs, settings, names.

Each function returns one page of Markdown. Nothing is said twice: whoever changes a question or a
parameter writes ``invoke docs`` and finds the page changed; a test refuses one that is behind.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from the_sink import naming
from the_sink.config.settings_reference import describe_settings
from the_sink.config.stack_template import Parameter, parse_template, read_parameters
from the_sink.errors import ConfigError
from the_sink.report.task_pages import escape

NOTICE = "<!-- Written by `invoke docs` from {sources}. Change those, never this. -->"


def render_page(title: str, sources: str, introduction: str, body: str) -> str:
    """Return a whole page: where it comes from, its title, what it is for, and what was read."""
    return f"{NOTICE.format(sources=sources)}\n\n# {title}\n\n{introduction}\n\n{body}\n"


def render_questions(copier_yml: str) -> str:
    """Return the questions of the template by the groups in which they are asked."""
    import yaml

    questions = yaml.safe_load(copier_yml)
    sections: list[tuple[str, list[str]]] = []
    for line in copier_yml.splitlines():
        if heading := re.fullmatch(r"# --- (.+?) -+", line):
            sections.append((heading[1], []))
        elif (key := re.fullmatch(r"([a-z]\w*):", line)) and sections:
            question = questions[key[1]]
            if question.get("when") is not False:
                sections[-1][1].append(_question(key[1], question))
    header = "| question | default | answers | |\n|---|---|---|---|\n"
    return "\n\n".join(f"## {title}\n\n{header}" + "\n".join(rows) for title, rows in sections if rows)


def render_parameters(title: str, template: str) -> str:
    """Return one section with a template's parameters, in the template's order."""
    content, problems = parse_template(template)
    parameters, more = read_parameters(content)
    if problems or more:
        raise ConfigError(f"{title}: {(problems + more)[0]}")
    descriptions = {name: body.get("Description", "") for name, body in content["Parameters"].items()}
    rows = [
        f"| `{name}` | {_code(each.default)} | {_allowed(each)} | {escape(str(descriptions[name]))} |"
        for name, each in parameters.items()
    ]
    return f"## {title}\n\n| parameter | default | values | |\n|---|---|---|---|\n" + "\n".join(rows)


def render_outputs(title: str, template: str) -> str:
    """Return one section with a template's outputs, in the template's order, and what each is exported as."""
    content, problems = parse_template(template)
    if problems:
        raise ConfigError(f"{title}: {problems[0]}")
    rows = [
        f"| `{name}` | {_export(body)} | {escape(str(body.get('Description', '')))} |"
        for name, body in content["Outputs"].items()
    ]
    return f"## {title}\n\n| output | exported as | |\n|---|---|---|\n" + "\n".join(rows)


def render_settings() -> str:
    """Return the keys of an app's ``sink.toml`` by their tables."""
    tables: dict[str, list[str]] = {}
    for each in describe_settings():
        default = "required" if each.is_required else _code(each.default or None)
        meaning = escape(_single_quotes(each.meaning))
        row = f"| `{each.key}` | {default} | {escape(each.expected)} | {meaning} |"
        tables.setdefault(each.table, []).append(row)
    header = "| key | default | value | |\n|---|---|---|---|\n"
    return "\n\n".join(f"## [{table}]\n\n{header}" + "\n".join(rows) for table, rows in tables.items())


def render_names() -> str:
    """Return every AWS name and S3 key that :mod:`the_sink.naming` makes."""
    names = naming.Names("<app>", "<env>")
    of_environment = [
        (getattr(names, name), inspect.getdoc(made))
        for name, made in vars(naming.Names).items()
        if isinstance(made, property)
    ]
    of_platform = [
        (_example(made), inspect.getdoc(made))
        for name, made in vars(naming).items()
        if inspect.isfunction(made)
        and made.__module__ == naming.__name__
        # What reads a name or refuses one makes none.
        and not re.match(r"_|check_|\w+_of_", name)
    ]
    for each in naming.PUBLICATIONS:
        of_platform += [
            (
                each.version_key("<version>"),
                f"The immutable S3 key of {each.what}, at a version such as `1.0.0`.",
            ),
            (
                each.channel_key("<major>", "<env>"),
                f"The channel of {each.what}, a moving S3 key: what `env` takes at its next execution.",
            ),
        ]
    return "\n\n".join(
        f"## {title}\n\n| name | what |\n|---|---|\n"
        + "\n".join(
            f"| `{name}` | {escape(_single_quotes((doc or '').partition(chr(10) * 2)[0]))} |"
            for name, doc in rows
        )
        for title, rows in (
            ("Of an app in an environment", of_environment),
            ("Of the platform, and in its bucket", of_platform),
        )
    )


def _example(made: Callable[..., str]) -> str:
    """Return a name made of placeholders: its parts are its function's parameters."""
    return made(**{name: f"<{name}>" for name in inspect.signature(made).parameters})


def _question(name: str, question: Mapping[str, Any]) -> str:
    choices = question.get("choices") or []
    answers = ", ".join(f"`{each}`" for each in _choices(choices))
    if question.get("multiselect"):
        answers += " (any of them)"
    return f"| `{name}` | {_answer(question.get('default'))} | {answers} | {escape(str(question['help']))} |"


def _choices(choices: Mapping[str, Any] | Iterable[Any]) -> list[str]:
    """Return the values; copier takes them as a list, or as labels and values in a mapping."""
    if isinstance(choices, Mapping):
        return [str(value) for value in choices.values()]
    return [str(each) if not isinstance(each, list) else str(each[-1]) for each in choices]


def _answer(default: Any) -> str:
    if isinstance(default, str) and ("{{" in default or "{%" in default):
        same = re.fullmatch(r"\s*\{\{ (\w+) \}\}\s*", default)
        return f"that of `{same[1]}`" if same else "derived"
    if isinstance(default, list):
        return ", ".join(f"`{each}`" for each in default)
    return _code(None if default is None else str(default))


def _allowed(parameter: Parameter) -> str:
    if parameter.allowed_values:
        return ", ".join(f"`{value}`" if value else "empty" for value in parameter.allowed_values)
    if parameter.constraint:
        return escape(parameter.constraint)
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    if parameter.max_length is not None:
        return f"{parameter.min_length or 0} to {parameter.max_length} characters"
    return ""


def _export(output: Mapping[str, Any]) -> str:
    if "Export" not in output:
        return ""
    return _code(re.sub(r"\$\{(\w+)\}", r"<\1>", output["Export"]["Name"]["Fn::Sub"]))


def _code(value: str | None) -> str:
    if value is None:
        return ""
    return f"`{value}`" if value else "empty"


def _single_quotes(text: str) -> str:
    """Return a docstring's words with Markdown's code marks."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text).replace("``", "`")
