"""Everything that is wrong with an app's files is found, all of it at once."""

# Tables of whole sentences read better unbroken.
# ruff: noqa: E501

from __future__ import annotations

import json

import pytest

from the_sink.checks.validation import check_app, load_parameters
from the_sink.config import load_app
from the_sink.errors import ConfigError


def problems_of(app) -> list[str]:
    return [str(problem) for problem in check_app(app)]


def test_an_app_as_generated_is_in_order(app):
    assert problems_of(app) == []


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("aws/buildspec.yaml", "a: [", "it is not YAML: expected the node content, but found '<stream end>' in line 1, column 5."),
        ("aws/buildspec.yaml", "", "it is empty, or no mapping; expected: version and phases."),
        ("aws/buildspec.yaml", "version: 0.1\nphases: {}", "version is 0.1; expected: 0.2."),
        ("aws/buildspec.yaml", "version: 0.2", "phases is missing: the build would do nothing."),
        ("aws/Dockerfile", "RUN true\n", "it has no FROM instruction."),
        ("app/Procfile", "release: x\n#web: y\n", "it has no line 'web: <command>': nothing would serve."),
        ("app/Procfile", "web:\n", "it has no line 'web: <command>': nothing would serve."),
        (".copier-answers.yml", "[]", "it is not a YAML mapping."),
        (".copier-answers.yml", "a: [", "it is not a YAML mapping."),
        (".copier-answers.yml", "_commit: v1\n_src_path: ../platform\n", "_src_path is '../platform', a relative path: the template cannot be found from here."),
        (".copier-answers.yml", "_commit: v1\n_src_path: platform\n", "_src_path is 'platform', a relative path: the template cannot be found from here."),
        (".copier-answers.yml", "_commit: v1\n", "_src_path is missing: nobody knows where the template is."),
        (".copier-answers.yml", "_src_path: /a\n", "_commit is missing: nobody knows which version this is."),
        ("requirements-platform.txt", "the-sink==1.0\n", "it does not pin the platform; expected: the one line 'the-sink[sandbox] @ git+<url>@<full commit>'."),
        ("requirements-platform.txt", "the-sink @ git+https://x/y@main\n", "it does not pin the platform; expected: the one line 'the-sink[sandbox] @ git+<url>@<full commit>'."),
        ("aws/cfn-template.yml", "- a\n", "it is empty, or no mapping; expected: Parameters, Resources and Outputs."),
        ("aws/cfn-template-configuration-stage.json", "{", "it is not JSON: expecting property name enclosed in double quotes in line 1, column 2."),
        ("sink.toml", "[app\n", "it is not TOML: Expected ']' at the end of a table declaration (at line 1, column 5)."),
    ],
)  # fmt: skip
def test_a_malformed_file_is_named(app, file, text, message):
    (app / file).write_text(text)

    assert f"{file}: {message}" in problems_of(app)


@pytest.mark.parametrize(
    "file",
    [
        "aws/buildspec.yaml",
        "aws/Dockerfile",
        "aws/cfn-template.yml",
        "aws/cfn-template-configuration-stage.json",
        "app/Procfile",
        ".copier-answers.yml",
        "requirements-platform.txt",
    ],
)
def test_a_missing_file_is_named_once_and_so_is_one_that_is_no_text(app, file):
    (app / file).unlink()
    assert problems_of(app) == [f"{file}: it is missing."]

    (app / file).write_bytes(b"\xff\xfe\x00")
    assert problems_of(app) == [f"{file}: it is not UTF-8 text."]


@pytest.mark.parametrize(
    "file",
    [
        "aws/buildspec.yaml",
        "aws/Dockerfile",
        "aws/cfn-template.yml",
        "aws/cfn-template-configuration-stage.json",
        "app/Procfile",
        ".copier-answers.yml",
        "requirements-platform.txt",
    ],
)
def test_a_file_that_begins_with_a_byte_order_mark_is_named(app, file):
    (app / file).write_bytes(b"\xef\xbb\xbf" + (app / file).read_bytes())

    (problem,) = check_app(app)

    assert str(problem) == f"{file}: it begins with a byte-order mark."
    assert problem.hint == "Save it as UTF-8 without one."


def test_a_byte_order_mark_in_sink_toml_is_understood(app):
    """Only we read it."""
    (app / "sink.toml").write_bytes(b"\xef\xbb\xbf" + (app / "sink.toml").read_bytes())

    assert problems_of(app) == []
    assert load_app(app).app == "my-app"


@pytest.mark.parametrize("text", ["FROM\tpython\n", "from python\n", "ARG A\n  FROM ${A}\n"])
def test_a_from_is_found_however_it_is_written(app, text):
    (app / "aws/Dockerfile").write_text(text)

    assert not [problem for problem in problems_of(app) if "FROM" in problem]


@pytest.mark.parametrize(
    "source",
    [
        "/platform",
        "~/platform",
        "https://x/y.git",
        "git@host:x/y.git",
        "file:///x",
        "gh:x/y",
        "git+https://x/y",
    ],
)
def test_a_source_that_can_be_found_again_is_in_order(app, source):
    (app / ".copier-answers.yml").write_text(f"_commit: v1.0.0\n_src_path: {source}\n")

    assert problems_of(app) == []


def test_a_pin_between_versions_must_be_the_templates_commit(app):
    (app / ".copier-answers.yml").write_text("_commit: v1.0.0-3-gbbbbbbb\n_src_path: https://x/y.git\n")

    assert problems_of(app) == [
        "requirements-platform.txt: it pins commit aaaaaaaa, the template is at v1.0.0-3-gbbbbbbb."
    ]


@pytest.mark.parametrize(
    "line",
    [
        "the-sink[sandbox] @ git+file://localhost/srv/platform@{commit}",
        "# the platform\n\nthe-sink @ git+ssh://git@host/x/y.git@{commit}  # v1.0.0\n",
        "The-Sink[sandbox]@git+https://host/x/y.git@{commit}",
    ],
)
def test_every_spelling_of_the_pin_is_understood(app, line):
    (app / "requirements-platform.txt").write_text(line.format(commit="a" * 40))

    assert problems_of(app) == []


def test_a_parameter_that_the_team_added_is_known(app):
    template = app / "aws" / "cfn-template.yml"
    template.write_text(
        template.read_text().replace("Parameters:\n", "Parameters:\n  Colour: {Type: String}\n")
    )

    assert problems_of(app) == [
        "aws/cfn-template-configuration-stage.json: Colour is missing; aws/cfn-template.yml has no default for it."
    ]


def test_every_environment_of_the_settings_needs_its_file(app):
    with (app / "sink.toml").open("a") as file:
        file.write('[environments.uat]\nregion = "eu-west-1"\n')

    assert problems_of(app) == ["aws/cfn-template-configuration-uat.json: it is missing."]


def test_all_problems_are_found_at_once(app):
    (app / "sink.toml").write_text("[app")
    (app / "app" / "Procfile").unlink()
    (app / "aws" / "Dockerfile").write_text("")
    configuration = app / "aws" / "cfn-template-configuration-stage.json"
    configuration.write_text(configuration.read_text().replace('"256"', "256").replace("3.13", "3.1"))

    assert [problem.split(":")[0] for problem in problems_of(app)] == [
        "sink.toml",
        "aws/cfn-template-configuration-stage.json",
        "aws/cfn-template-configuration-stage.json",
        "aws/Dockerfile",
        "app/Procfile",
    ]


def test_an_environments_values_are_loaded_or_refused(app):
    settings = load_app(app)
    assert load_parameters(settings, "stage")["RuntimeVersion"] == "3.13"

    configuration = app / "aws" / "cfn-template-configuration-stage.json"
    configuration.write_text(configuration.read_text().replace('"TaskCpu": "256"', '"TaskCpu": "255"'))
    with pytest.raises(ConfigError) as caught:
        load_parameters(settings, "stage")

    assert caught.value.message == (
        "aws/cfn-template-configuration-stage.json: "
        'TaskCpu is "255"; Fargate takes 256, 512, 1024, 2048, 4096, 8192, 16384.'
    )


IDLE = "aws/cfn-template-configuration-stage.json"


@pytest.mark.parametrize(
    ("timeout", "files", "kept_s"),
    [
        ("74", {}, None),
        ("75", {}, 75),
        ("4000", {}, 75),
        ("60", {"app/Procfile": "web: uvicorn a:b --timeout-keep-alive 5\n"}, 5),
        ("120", {"app/Procfile": "check: x --keep-alive 5\nweb: uvicorn a:b --timeout-keep-alive 130 --reload\n"}, None),
        ("120", {"app/Procfile": "web: gunicorn a:b\n", "app/gunicorn.conf.py": "threads = 8\nkeepalive = 130\n"}, None),
        ("140", {"app/Procfile": "web: gunicorn a:b\n", "app/gunicorn.conf.py": "keepalive=130\n"}, 130),
    ],
)  # fmt: skip
def test_a_load_balancer_lets_go_of_a_connection_before_the_service_does(app, timeout, files, kept_s):
    for file, text in files.items():
        (app / file).write_text(text)
    template = app / "aws/cfn-template.yml"
    declared = 'Parameters:\n  EcsAlbIdleTimeout: {Type: Number, Default: "60"}'
    template.write_text(template.read_text().replace("Parameters:", declared, 1))
    content = json.loads((app / IDLE).read_text())
    content["Parameters"]["EcsAlbIdleTimeout"] = timeout
    (app / IDLE).write_text(json.dumps(content))

    problems = check_app(app)

    assert [(problem.message, problem.is_warning) for problem in problems] == (
        []
        if kept_s is None
        else [
            (
                f"EcsAlbIdleTimeout is {timeout}, and the service closes idle connections after {kept_s} seconds: "
                "a request that comes down one at that moment ends in a 502.",
                True,
            )
        ]
    )
