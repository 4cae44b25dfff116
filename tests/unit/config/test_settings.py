"""sink.toml becomes settings, or a sentence that names the key and what is expected."""

# Tables of whole sentences read better unbroken.
# ruff: noqa: E501

from __future__ import annotations

from pathlib import Path

import pytest

from the_sink.config import find_app, load_app, load_platform
from the_sink.config.settings import read_app, sandbox_name
from the_sink.errors import ConfigError, InputError

SMALLEST = """
[app]
name = "my-app"
[platform]
name = "the-sink"
[environments.stage]
region = "eu-west-1"
"""

EVERYTHING = """
[app]
name = "my-app"
secrets_delivery = "image"
[platform]
name = "the-sink"
repository = "https://git.example/platform.git"
[environments.prod]
tag = "uat"
region = "us-east-1"
account = "012345678901"
profile = "production"
requires_approval = false
architecture = "ARM64"
permissions_boundary = "arn:aws:iam::012345678901:policy/Boundary"
additional_policies = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
notification_topic = "arn:aws:sns:us-east-1:012345678901:alarms"
[environments.stage]
region = "eu-west-1"
account = ""
profile = ""
[package]
include = ["app/static/**"]
before = "npm run build"
[sandbox]
name = "mine"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "sink.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_smallest_file_has_every_default(tmp_path):
    settings = load_app(write(tmp_path, SMALLEST))

    stage = settings.environment("stage")
    assert (settings.app, settings.platform, settings.root) == ("my-app", "the-sink", tmp_path)
    assert (settings.secrets_delivery, settings.sandbox, settings.platform_repository) == ("task", None, "")
    assert (settings.package.include, settings.package.before) == ((), "")
    assert (stage.tag, stage.account, stage.profile, stage.architecture) == ("latest", None, None, "X86_64")
    assert not stage.requires_approval


def test_every_key_arrives_and_environments_are_in_promotion_order(tmp_path):
    settings = load_app(write(tmp_path, EVERYTHING))

    prod = settings.environment("prod")
    assert settings.environment_names == ("stage", "prod")
    assert (prod.tag, prod.region, prod.account, prod.profile) == (
        "uat",
        "us-east-1",
        "012345678901",
        "production",
    )
    assert (prod.architecture, prod.requires_approval) == ("ARM64", False)
    assert prod.permissions_boundary == "arn:aws:iam::012345678901:policy/Boundary"
    assert prod.additional_policies == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert prod.notification_topic == "arn:aws:sns:us-east-1:012345678901:alarms"
    assert (settings.environment("stage").account, settings.environment("stage").profile) == (None, None)
    assert (settings.package.include, settings.package.before) == (("app/static/**",), "npm run build")
    assert (settings.secrets_delivery, settings.sandbox) == ("image", "mine")


@pytest.mark.parametrize(
    ("lines", "subject"),
    [
        ("", ""),
        ('repository = "acme/my-app"', "acme/my-app"),
        ('repository = "acme/my-app"\nowner_id = "12"\nrepository_id = "34"', "acme@12/my-app@34"),
    ],
)
def test_a_repository_is_called_as_its_tokens_call_it(tmp_path, lines, subject):
    settings = load_app(write(tmp_path, f"{SMALLEST}\n[github]\n{lines}\n"))

    assert settings.github.subject == subject


def test_prod_asks_for_approval_unless_told_otherwise(tmp_path):
    settings = load_app(write(tmp_path, SMALLEST + '[environments.prod]\nregion = "eu-west-1"\n'))

    assert settings.environment("prod").requires_approval


def test_settings_are_found_from_a_folder_below(tmp_path):
    write(tmp_path, SMALLEST)
    below = tmp_path / "app" / "src"
    below.mkdir(parents=True)

    assert find_app(below) == tmp_path
    assert load_app(below).root == tmp_path


def test_outside_an_app_is_said(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_app(tmp_path)

    assert caught.value.message == (
        f"There is no sink.toml in {tmp_path} or a folder above it: this is not an app of the platform."
    )
    assert caught.value.hint.startswith("Change to an app's folder")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "my-app"', ""), "app.name is missing; expected: the app's name."),
        (('name = "my-app"', "name = 5"), "app.name is a number; expected: the app's name, in quotes."),
        (
            ('"my-app"', '"My-App"'),
            "app.name is wrong: 'My-App' cannot name an app: only lowercase letters, digits and hyphens are allowed.",
        ),
        (('"the-sink"', '"The Sink"'), "platform.name is wrong: 'The Sink' cannot name a platform."),
        (("[app]", "[apps]"), "the table [app] is missing."),
        (("[environments.stage]", "[environments.uat]"), "environments.stage is missing: every app has the environment stage."),
        (('region = "eu-west-1"', ""), "environments.stage.region is missing; expected: an AWS region such as eu-west-1."),
        (('"eu-west-1"', '"Ireland"'), "environments.stage.region is 'Ireland'; expected: an AWS region such as eu-west-1."),
        (("region", 'account = "1234"\nregion'), "environments.stage.account is '1234'; expected: an AWS account number of 12 digits."),
        (("region", "account = 123456789012\nregion"), "environments.stage.account is a number; expected: an AWS account number of 12 digits, in quotes."),
        (("region", 'tag = "main"\nregion'), "environments.stage.tag is 'main'; expected: latest."),
        (("region", "profile = true\nregion"), "environments.stage.profile is true or false; expected: text, in quotes."),
        (("region", 'regoin = "x"\nregion'), "environments.stage.regoin is no setting of the platform. Did you mean 'region'?"),
        (("region", 'requires_approval = "yes"\nregion'), "environments.stage.requires_approval must be true or false, without quotes."),
        (("region", 'architecture = "arm"\nregion'), "environments.stage.architecture is 'arm'; expected: X86_64 or ARM64."),
        (("region", 'additional_policies = "x"\nregion'), "environments.stage.additional_policies must be a list of texts."),
        (("region", 'permissions_boundary = "x"\nregion'), "environments.stage.permissions_boundary is 'x'; expected: the ARN of a policy, or \"none\"."),
        (("[app]", '[github]\nrepository = "acme"\n[app]'), "github.repository is 'acme'; expected: owner/name, such as acme/hello-sink."),
        (("[app]", '[github]\nrepository = "acme/*"\n[app]'), "github.repository is 'acme/*'; expected: owner/name, such as acme/hello-sink."),
        (("[app]", '[github]\nrepository = "a/b"\nowner_id = 7\n[app]'), "github.owner_id is a number; expected: a number of GitHub's, in quotes."),
        (("[app]", '[github]\nrepository = "a/b"\nowner_id = "*"\n[app]'), "github.owner_id is '*'; expected: a number of GitHub's."),
        (("[app]", '[github]\nrepository = "a/b"\nowner_id = "7"\n[app]'), "github.repository_id is missing: tokens carry both numbers, or neither."),
        (("[app]", '[github]\nowner_id = "7"\nrepository_id = "8"\n[app]'), "github.repository is missing; expected: owner/name, such as acme/hello-sink."),
        (("[environments.stage]", "[environments.dev]\n[environments.stage]"), "environments.dev is no environment."),
        (("[app]", 'environment = "x"\n[app]'), "environment is no setting of the platform. Did you mean 'environments'?"),
        (("[app]", "package = 1\n[app]"), "package is a number; expected: a table."),
        (("[app]", "sandbox = 2026-01-01\n[app]"), "sandbox is a date; expected: a table."),
        (("[app]", '[sandbox]\nname = "a/b"\n[app]'), "sandbox.name is 'a/b'; expected: 1 to 40 of a-z, 0-9 and hyphens."),
        (("[app]", '[package]\ninclude = "x"\n[app]'), "package.include must be a list of texts."),
        (("[app]", '[package]\ninclude = ["../x"]\n[app]'), "package.include names '../x'; expected: paths inside the app."),
        (("[app]", '[app]\nsecrets_delivery = "env"'), "app.secrets_delivery is 'env'; expected: \"task\" or \"image\"."),
        (("[app]", "[app"), "it is not TOML: Expected ']' at the end of a table declaration (at line 2, column 5)."),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused_by_key_and_expectation(tmp_path, change, message):
    write(tmp_path, SMALLEST.replace(*change, 1))

    _, problems = read_app(tmp_path)

    assert message in [problem.message for problem in problems]
    with pytest.raises(ConfigError) as caught:
        load_app(tmp_path)
    assert caught.value.message.startswith("sink.toml: ")


def test_an_account_without_quotes_that_begins_with_zero_gets_a_hint(tmp_path):
    write(tmp_path, SMALLEST + "account = 012345678901\n")

    with pytest.raises(ConfigError) as caught:
        load_app(tmp_path)

    assert caught.value.message.startswith("sink.toml: it is not TOML: ")
    assert caught.value.hint == "Text goes in quotes, account numbers too."


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "sink.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError) as caught:
        load_app(tmp_path)

    assert caught.value.message == "sink.toml: it is not UTF-8 text."


def test_all_problems_are_found_and_the_first_is_raised_with_their_number(tmp_path):
    write(tmp_path, SMALLEST.replace('"my-app"', "1").replace('"eu-west-1"', '"x"') + 'colour = "red"\n')

    settings, problems = read_app(tmp_path)

    assert settings is None
    assert len(problems) == 3
    with pytest.raises(ConfigError) as caught:
        load_app(tmp_path)
    assert caught.value.message == (
        "sink.toml: app.name is a number; expected: the app's name, in quotes. "
        "(2 more problems: invoke validate lists them)"
    )


def test_an_environment_that_the_app_lacks_and_one_that_nobody_has(tmp_path):
    settings = load_app(write(tmp_path, SMALLEST))

    with pytest.raises(InputError) as lacking:
        settings.environment("prod")
    with pytest.raises(InputError) as unknown:
        settings.environment("dev")

    assert lacking.value.message == "my-app has no environment 'prod'; sink.toml names stage."
    assert lacking.value.hint == "Add the table [environments.prod] to sink.toml, or choose one of: stage."
    assert unknown.value.message == "There is no environment 'dev'."


def test_the_platforms_own_file_is_no_apps_and_the_other_way_round(tmp_path):
    platform, app = tmp_path / "platform", tmp_path / "app"
    platform.mkdir()
    app.mkdir()
    write(platform, '[platform]\nname = "the-sink"\nregion = "eu-west-1"\n')
    write(app, SMALLEST)

    with pytest.raises(ConfigError) as no_app:
        load_app(platform)
    with pytest.raises(ConfigError) as nothing_to_check:
        find_app(platform)
    with pytest.raises(ConfigError) as no_platform:
        load_platform(app)

    assert (
        no_app.value.message
        == nothing_to_check.value.message
        == "sink.toml: it is the platform's own, not an app's: the table [app] is missing."
    )
    assert (
        no_platform.value.message == "sink.toml: it is an app's, not the platform's: it has the table [app]."
    )


def test_the_platforms_settings(tmp_path):
    write(
        tmp_path,
        '[platform]\nname = "the-sink"\nregion = "eu-west-1"\naccount = "012345678901"\n[tags]\nCostCenterID = "4711"\n',
    )

    settings = load_platform(tmp_path)

    assert settings.tags == {"CostCenterID": "4711"}
    assert (settings.name, settings.region) == ("the-sink", "eu-west-1")
    assert (settings.account, settings.profile, settings.root) == ("012345678901", None, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[platform]\n", "sink.toml: platform.name is missing; expected: the platform's name."),
        ("", "sink.toml: the table [platform] is missing."),
        (
            '[platform]\nname = "x"\nregion = 1\n',
            "sink.toml: platform.region is a number; expected: an AWS region",
        ),
        (
            '[platform]\nname = "x"\nregion = "eu-west-1"\nzone = 1\n',
            "sink.toml: platform.zone is no setting",
        ),
        ("[platform", "sink.toml: it is not TOML: "),
        (
            '[platform]\nname = "x"\nregion = "eu-west-1"\n[tags]\n"aws:x" = "1"\n',
            "sink.toml: tags.aws:x is no name for a tag of yours: AWS or the platform sets such ones itself.",
        ),
        (
            '[platform]\nname = "x"\nregion = "eu-west-1"\n[tags]\nOwner = "a, b"\n',
            "sink.toml: tags.Owner is 'a, b'; expected: up to 256 characters of a tag's value.",
        ),
    ],
)
def test_a_malformed_platform_file_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        load_platform(write(tmp_path, text))

    assert caught.value.message.startswith(message)


def test_the_sandbox_is_named_even_where_the_rest_is_wrong(tmp_path):
    assert sandbox_name(tmp_path) is None
    assert sandbox_name(write(tmp_path, '[sandbox]\nname = "mine"\n[app]\nname = 1\n')) == "mine"
    with pytest.raises(ConfigError, match="name is a number"):
        sandbox_name(write(tmp_path, "[sandbox]\nname = 1\n"))
