"""Names keep to the limits of the services that they end up in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from the_sink.errors import InputError
from the_sink.naming import (
    ENVIRONMENTS,
    PUBLICATIONS,
    PYTHON_RUNTIMES,
    RESERVED_APP_NAMES,
    RETIRED_RUNTIMES,
    Names,
    check_app_name,
    check_environment,
    check_platform_name,
    ledger_prefix,
    legacy_channel_key,
    template_upload_key,
)
from the_sink.resources import resource_path

app_names = st.from_regex(r"[a-z][a-z0-9-]{3,22}[a-z0-9]", fullmatch=True).filter(
    lambda name: not name.startswith("internal-") and name != "stacks"
)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "it has 0 characters, 5 to 24 are allowed"),
        ("abcd", "it has 4 characters, 5 to 24 are allowed"),
        ("a" * 25, "it has 25 characters, 5 to 24 are allowed"),
        ("My-App", "only lowercase letters, digits and hyphens are allowed"),
        ("my_app", "only lowercase letters, digits and hyphens are allowed"),
        ("my app", "only lowercase letters, digits and hyphens are allowed"),
        ("müller", "only lowercase letters, digits and hyphens are allowed"),
        ("my-app\n", "only lowercase letters, digits and hyphens are allowed"),
        ("1st-app", "its stacks are named after it, and stack names must begin with a letter"),
        ("-my-app", "its stacks are named after it, and stack names must begin with a letter"),
        ("my-app-", "it may not end with a hyphen"),
        ("internal-app", "load balancer names may not begin with 'internal-'"),
        ("stacks", "stacks/ of the pipeline bucket is the platform's own folder"),
        ("releases", "releases/ of the pipeline bucket is the platform's own folder"),
        ("admissions", "admissions/ of the pipeline bucket is the platform's own folder"),
    ],
)
def test_an_app_name_of_a_wrong_kind_is_refused(name, problem):
    with pytest.raises(InputError) as caught:
        check_app_name(name)

    assert caught.value.message == f"{name!r} cannot name an app: {problem}."
    assert caught.value.hint == (
        "Use 5 to 24 lowercase letters, digits and hyphens, beginning with a letter; AppName in each of "
        "the app's aws/cfn-template-configuration-<env>.json is the same."
    )


@pytest.mark.parametrize("name", ["the-sink", "platform", "runtimes", "my--app", "x---9", "a" * 24])
def test_an_app_of_the_legacy_platform_keeps_its_name(name):
    """What its rules allowed and AWS can be asked for; its own public app is called the-sink."""
    assert check_app_name(name) == name


def test_only_the_folders_of_the_platform_in_the_bucket_of_archives_are_reserved():
    keys = [
        *(each.version_key("1.0.0") for each in PUBLICATIONS),
        *(each.channel_key(1, "prod") for each in PUBLICATIONS),
        legacy_channel_key(),
        template_upload_key("pipeline", "f" * 64),
        ledger_prefix("my-app", "prod"),
        "admissions/my-app/prod/",  # of sink-build alone
    ]

    assert {key.partition("/")[0] for key in keys} == RESERVED_APP_NAMES


@given(app_names)
def test_every_name_of_an_app_fits_where_it_goes(app):
    """Role names end at 64 characters, ECR and cluster names far beyond; stacks begin with a letter."""
    assert check_app_name(app) == app
    for env in ENVIRONMENTS:
        names = Names(app, env)
        made = [
            value for key in vars(Names) if isinstance(value := getattr(names, key), str) and key[0] != "_"
        ]
        assert len(made) >= 12
        assert all(len(name) <= 64 for name in made)
        assert names.app_stack[0].isalpha()


@given(app_names, app_names)
def test_two_apps_share_no_name(one, other):
    if one == other:
        return
    for env in ENVIRONMENTS:
        mine, theirs = Names(one, env), Names(other, env)
        keys = (
            "pipeline_stack",
            "pipeline",
            "cluster",
            "service",
            "repository",
            "secret",
            "database",
            "log_group",
        )
        assert all(getattr(mine, key) != getattr(theirs, key) for key in keys)


@pytest.mark.parametrize("name", ["", "The-Sink", "1st", "a--b", "a-", "x" * 31, "a_b", "a\n"])
def test_a_platform_name_of_a_wrong_kind_is_refused(name):
    with pytest.raises(InputError) as caught:
        check_platform_name(name)

    assert caught.value.message == f"{name!r} cannot name a platform."


@pytest.mark.parametrize("name", ["a", "the-sink", "x" * 30])
def test_a_platform_name_of_the_right_kind_is_taken(name):
    assert check_platform_name(name) == name


def test_an_unknown_environment_is_refused():
    with pytest.raises(InputError) as caught:
        check_environment("dev")

    assert (caught.value.message, caught.value.hint) == (
        "There is no environment 'dev'.",
        "Choose one of: stage, uat, prod.",
    )
    assert [check_environment(env) for env in ENVIRONMENTS] == ["stage", "uat", "prod"]


def test_the_runtimes_that_may_be_named_are_those_that_are_built():
    files = resource_path("runtimes/python").glob("*.Dockerfile")

    assert {file.name.removesuffix(".Dockerfile") for file in files} == set(PYTHON_RUNTIMES)
    assert set(RETIRED_RUNTIMES) < set(PYTHON_RUNTIMES)


def test_the_legacy_platforms_template_keeps_its_key():
    assert legacy_channel_key() == "stacks/python/cfn-template-v1.1.yml"


def test_an_uploaded_template_is_named_by_its_content():
    key = template_upload_key("pipeline", "0123456789abcdef" * 4)
    assert key == "stacks/python/pipeline-0123456789abcdef.yml"
    assert template_upload_key("pipeline", "0123456789abcdef") == key
    assert template_upload_key("pipeline", "f" * 64) != key
