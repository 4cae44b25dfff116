"""What ``sink.toml`` says, checked once and frozen: the settings of an app, or of the platform itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from the_sink.config.problems import Problem, refusal
from the_sink.config.tables import Table, read_toml
from the_sink.errors import ConfigError, InputError
from the_sink.naming import DEFAULT_TAGS, ENVIRONMENTS, check_app_name, check_platform_name

FILE = "sink.toml"

REGION_PATTERN = r"[a-z]{2}(-[a-z]+)+-\d"
ACCOUNT_PATTERN = r"(\d{12})?"
ARN_PATTERN = r"(arn:.+)?"
REPOSITORY_PATTERN = r"([A-Za-z0-9-]+/[A-Za-z0-9._-]+)?"
NO_BOUNDARY = "none"
"""Empty means none, here and for the account: what a template renders where a question stayed open."""
SANDBOX_NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,39}"
"""It becomes a folder's name."""

_REGION = "an AWS region such as eu-west-1"
_ACCOUNT = "an AWS account number of 12 digits"
_NUMBER_PATTERN = r"([1-9]\d*)?"
_NUMBER = "a number of GitHub's"


@dataclass(frozen=True)
class Environment:
    """Where one environment of an app lives and how it is delivered.

    Attributes:
        name: ``stage``, ``uat`` or ``prod``.
        tag: The archive it follows: ``latest``, ``uat`` or ``prod``.
        region: The AWS region of its stacks and its platform.
        account: The only one that every task accepts; without it, whatever the credentials open.
        profile: Of the AWS configuration files; without it, the default chain.
        architecture: ``X86_64`` or ``ARM64``: of the build machine, so of the images.
        requires_approval: Whether a person approves each deploy. Prod's default is yes.
        permissions_boundary: The managed policy that bounds every role of the app: "" for the one that
            ``bootstrap`` makes (none for an app on the template v1.1), an ARN for another, ``none``.
        additional_policies: ARNs of managed policies that the app's CloudFormation role needs besides.
        notification_topic: ARN of the SNS topic that hears of failures; "" for none.
    """

    name: str
    tag: str
    region: str
    account: str | None = None
    profile: str | None = None
    architecture: str = "X86_64"
    requires_approval: bool = False
    permissions_boundary: str = ""
    additional_policies: tuple[str, ...] = ()
    notification_topic: str = ""


@dataclass(frozen=True)
class GitHub:
    """The one repository whose workflows deploy the app.

    Attributes:
        repository: ``owner/name``; "" where none does.
        owner_id: GitHub's number of the owner; "" for a repository whose tokens do not carry it.
        repository_id: GitHub's number of the repository; there where the owner's is.
    """

    repository: str = ""
    owner_id: str = ""
    repository_id: str = ""

    @property
    def subject(self) -> str:
        """The repository as the subject of its workflows' tokens names it, "" where there is none.

        https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
        """
        if not self.owner_id:
            return self.repository
        owner, name = self.repository.split("/")
        return f"{owner}@{self.owner_id}/{name}@{self.repository_id}"


@dataclass(frozen=True)
class Package:
    """What goes into a release's archive besides the files that git holds.

    Attributes:
        include: Files that git does not hold (built assets): paths or globs inside the app.
        before: A command that is run before they are collected, for example ``npm run build``.
    """

    include: tuple[str, ...] = ()
    before: str = ""


@dataclass(frozen=True)
class Settings:
    """The settings of an app.

    Attributes:
        root: The folder of ``sink.toml``, absolute.
        app: The app's name.
        platform: The platform's name: the prefix of its exports.
        platform_repository: Where the app's template came from; "" where that is not known.
        environments: Those that the app has, in promotion order, stage first.
        package: What else goes into an archive.
        secrets_delivery: ``task`` (container-init writes ``.env``) or ``image`` (the legacy platform's way).
        sandbox: The sandbox's name; without it, the default.
        github: Whose workflows deploy it.
    """

    root: Path
    app: str
    platform: str
    platform_repository: str
    environments: tuple[Environment, ...]
    package: Package
    secrets_delivery: str
    sandbox: str | None
    github: GitHub = GitHub()

    @property
    def environment_names(self) -> tuple[str, ...]:
        """The names of its environments, in promotion order."""
        return tuple(environment.name for environment in self.environments)

    def before(self, name: str) -> Environment:
        """Return the environment that ``name`` is promoted from; not asked of the first, which has none."""
        return self.environments[self.environment_names.index(name) - 1]

    def environment(self, name: str) -> Environment:
        """Return one environment.

        Raises:
            InputError: the app has no such environment; says which it has.
        """
        for environment in self.environments:
            if environment.name == name:
                return environment
        choices = ", ".join(self.environment_names)
        if name in ENVIRONMENTS:
            raise InputError(
                f"{self.app} has no environment {name!r}; {FILE} names {choices}.",
                f"Add the table [environments.{name}] to {FILE}, or choose one of: {choices}.",
            )
        raise InputError(f"There is no environment {name!r}.", f"Choose one of: {choices}.")


@dataclass(frozen=True)
class PlatformSettings:
    """The settings of the platform's own repository."""

    root: Path
    name: str
    region: str
    account: str | None
    profile: str | None
    tags: Mapping[str, str]
    """Of the platform's stack, and so of what it makes: whose costs these are."""


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above ``start`` that has a ``sink.toml``.

    Raises:
        ConfigError: there is none: ``start`` is outside an app.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise ConfigError(
        f"There is no {FILE} in {start} or a folder above it: this is not an app of the platform.",
        "Change to an app's folder, or start an app: copier copy <platform repository> <folder>.",
    )


def find_app(start: Path) -> Path:
    """Return the folder of the app that ``start`` is in, whatever else is wrong with its files.

    Raises:
        ConfigError: outside an app, or in the platform's own repository.
    """
    root = find_root(start)
    values, problems = read_toml(root / FILE, FILE)
    if not problems and _is_of_platform(values):
        raise refusal(read_app(root)[1])
    return root


def load_app(start: Path = Path()) -> Settings:
    """Return the settings of the app that ``start`` is in: the current folder, unless another is named.

    Raises:
        ConfigError: outside an app, or ``sink.toml`` is malformed; names the key and what is expected.
    """
    settings, problems = read_app(find_root(start))
    if settings is None:
        raise refusal(problems)
    return settings


def read_app(root: Path) -> tuple[Settings | None, list[Problem]]:
    """Return the settings of the app at ``root``, or None and every problem that keeps them from being."""
    values, problems = read_toml(root / FILE, FILE)
    if problems:
        return None, problems
    if _is_of_platform(values):
        hint = "Run platform.* and runtimes.* tasks here; an app's tasks belong in an app's folder."
        return None, [
            Problem(FILE, "it is the platform's own, not an app's: the table [app] is missing.", hint)
        ]
    settings = read_document(root, Table(FILE, "", values, problems))
    return (None if problems else settings), problems


def _is_of_platform(values: Mapping[str, object]) -> bool:
    return "platform" in values and "app" not in values and "environments" not in values


def load_platform(start: Path) -> PlatformSettings:
    """Return the settings of the platform's repository that ``start`` is in.

    Raises:
        ConfigError: outside it, or ``sink.toml`` is malformed.
    """
    root = find_root(start)
    values, problems = read_toml(root / FILE, FILE)
    if problems:
        raise refusal(problems)
    document = Table(FILE, "", values, problems)
    if "app" in document:
        raise ConfigError(
            f"{FILE}: it is an app's, not the platform's: it has the table [app].",
            "Run platform.* and runtimes.* tasks in the platform's own repository.",
        )
    table = document.table("platform", required=True, example='[platform] with name = "the-sink".')
    settings = PlatformSettings(
        root=root,
        name=_platform_name(table),
        region=table.text("region", required=True, pattern=REGION_PATTERN, expected=_REGION),
        account=table.text("account", pattern=ACCOUNT_PATTERN, expected=_ACCOUNT) or None,
        profile=table.text("profile") or None,
        tags=_tags(document.table("tags")),
    )
    document.table("sandbox")
    table.no_more()
    document.no_more()
    if problems:
        raise refusal(problems)
    return settings


def _tags(table: Table) -> dict[str, str]:
    # https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
    for name in table.keys():  # noqa: SIM118 (a Table is no mapping)
        if name.lower().startswith(("aws:", "the-sink:")):
            table.problem(name, "is no name for a tag of yours: AWS or the platform sets such ones itself.")
    return {
        name: table.text(
            name, pattern=r"[\w .:/=+@-]{0,256}", expected="up to 256 characters of a tag's value"
        )
        for name in table.keys()  # noqa: SIM118 (a Table is no mapping)
    }


def sandbox_name(start: Path) -> str | None:
    """Return the sandbox that ``[sandbox]`` of the nearest ``sink.toml`` names, an app's or the platform's.

    Raises:
        ConfigError: the file or that name is malformed; whatever else is wrong is no matter here.
    """
    try:
        root = find_root(start)
    except ConfigError:
        return None
    values, problems = read_toml(root / FILE, FILE)
    name = _sandbox_name(Table(FILE, "", values, problems).table("sandbox"))
    if problems:
        raise refusal(problems)
    return name


def stage_region(start: Path) -> str:
    """Return where stage lives by the nearest ``sink.toml``, or the platform by its own; "" without one."""
    try:
        root = find_root(start)
    except ConfigError:
        return ""
    document = Table(FILE, "", *read_toml(root / FILE, FILE))
    stage = document.table("environments").table("stage").text("region")
    return stage or document.table("platform").text("region")


def _sandbox_name(table: Table) -> str | None:
    return (
        table.text("name", pattern=SANDBOX_NAME_PATTERN, expected="1 to 40 of a-z, 0-9 and hyphens") or None
    )


def read_document(root: Path, document: Table) -> Settings:
    """Return the settings that a parsed ``sink.toml`` holds; what is wrong goes to the table's problems."""
    app = document.table("app", required=True, example='[app] with name = "my-app".')
    platform = document.table("platform", required=True, example='[platform] with name = "the-sink".')
    package = document.table("package")
    sandbox = document.table("sandbox")
    github = document.table("github")
    settings = Settings(
        root=root,
        app=_app_name(app),
        platform=_platform_name(platform),
        platform_repository=platform.text("repository"),
        environments=_environments(document),
        package=Package(include=_include(package), before=package.text("before")),
        secrets_delivery=app.text(
            "secrets_delivery", pattern="task|image", expected='"task" or "image"', default="task"
        ),
        sandbox=_sandbox_name(sandbox),
        github=_github(github),
    )
    for table in (app, platform, package, sandbox, github, document):
        table.no_more()
    return settings


def _app_name(table: Table) -> str:
    name = table.text("name", required=True, expected="the app's name")
    if name:
        try:
            check_app_name(name)
        except InputError as error:
            table.problem("name", f"is wrong: {error.message}", error.hint)
    return name


def _platform_name(table: Table) -> str:
    name = table.text("name", required=True, expected="the platform's name")
    if name:
        try:
            check_platform_name(name)
        except InputError as error:
            table.problem("name", f"is wrong: {error.message}", error.hint)
    return name


def _github(table: Table) -> GitHub:
    found = GitHub(
        repository=table.text(
            "repository",
            required="owner_id" in table or "repository_id" in table,
            pattern=REPOSITORY_PATTERN,
            expected="owner/name, such as acme/hello-sink",
        ),
        owner_id=table.text("owner_id", pattern=_NUMBER_PATTERN, expected=_NUMBER),
        repository_id=table.text("repository_id", pattern=_NUMBER_PATTERN, expected=_NUMBER),
    )
    if bool(found.owner_id) != bool(found.repository_id):
        missing = "repository_id" if found.owner_id else "owner_id"
        table.problem(
            missing,
            "is missing: tokens carry both numbers, or neither.",
            f"See both: gh api repos/{found.repository} --jq '.owner.id, .id'",
        )
    return found


def _include(table: Table) -> tuple[str, ...]:
    patterns = table.texts("include")
    for pattern in patterns:
        if pattern.startswith("/") or ".." in Path(pattern).parts:
            table.problem("include", f"names {pattern!r}; expected: paths inside the app.")
    return patterns


def _environments(document: Table) -> tuple[Environment, ...]:
    tables = document.table(
        "environments", required=True, example='[environments.stage] with region = "eu-west-1".'
    )
    found = tuple(_environment(name, tables.table(name)) for name in ENVIRONMENTS if name in tables)
    if "environments" in document and "stage" not in tables:
        tables.problem(
            "stage", "is missing: every app has the environment stage.", "Add [environments.stage]."
        )
    for name in tables.keys():  # noqa: SIM118 (a Table is no mapping)
        if name not in ENVIRONMENTS:
            tables.problem(name, "is no environment.", f"Environments are: {', '.join(ENVIRONMENTS)}.")
    return found


def _environment(name: str, table: Table) -> Environment:
    approval = table.flag("requires_approval")
    environment = Environment(
        name=name,
        tag=table.text(
            "tag",
            # There is nothing before stage that could be promoted to it.
            pattern="latest" if name == "stage" else "latest|uat|prod",
            expected="latest" if name == "stage" else "latest, uat or prod",
            default=DEFAULT_TAGS[name],
        ),
        region=table.text("region", required=True, pattern=REGION_PATTERN, expected=_REGION),
        account=table.text("account", pattern=ACCOUNT_PATTERN, expected=_ACCOUNT) or None,
        profile=table.text("profile") or None,
        architecture=table.text(
            "architecture", pattern="X86_64|ARM64", expected="X86_64 or ARM64", default="X86_64"
        ),
        requires_approval=name == "prod" if approval is None else approval,
        permissions_boundary=table.text(
            "permissions_boundary",
            pattern=f"{NO_BOUNDARY}|{ARN_PATTERN}",
            expected=f'the ARN of a policy, or "{NO_BOUNDARY}"',
        ),
        additional_policies=table.texts("additional_policies"),
        notification_topic=table.text("notification_topic", pattern=ARN_PATTERN, expected="an ARN"),
    )
    table.no_more()
    return environment
