"""Before a release goes out: would its stack take the environment's database away, or replace it?

``none`` in place of an instance class is one word in a configuration file, and CloudFormation asks nobody:
the stack's instance goes, with a final snapshot and without its automated backups
(https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html).
A protected one is not deleted by RDS: the update ends well, and leaves it behind outside of the stack.
"""

from __future__ import annotations

from the_sink.aws.session import Aws
from the_sink.checks.validation import database_class, database_snapshot
from the_sink.config.environment_file import file_name
from the_sink.config.files import Tree
from the_sink.diagnosis.stack_events import unprotect_database
from the_sink.errors import ConfigError
from the_sink.models import Stack
from the_sink.naming import Names

_HOW_TO = "docs/how-to/take-a-database-away.md of the platform"


def find_taken(aws: Aws, names: Names, files: Tree, app_stack: Stack | None) -> str:
    """Return the identifier of the database that a release takes away, "" if it takes none.

    Args:
        aws: The environment's account.
        names: Of the app there.
        files: The release's.
        app_stack: The app's stack as it stands.

    Raises:
        ConfigError: RDS would not let it go, and the stack would lose it; or the release names another
            snapshot than the database was made from.
    """
    if app_stack is None or app_stack.status.is_never_created:
        return ""
    if database_class(files, names.env) != "none":
        _check_snapshot(names, files, app_stack)
        return ""
    found = _database_of(aws, app_stack)
    if found and aws.databases.is_protected(found):
        raise ConfigError(
            f"{names.env}: the stack has the database {found}, and by {file_name(names.env)} the release has "
            "none. RDS deletes no instance that is protected: it would stay behind, outside of the stack.",
            "To take it away on purpose make a snapshot, then switch the protection off: "
            f"{unprotect_database(found)} ({_HOW_TO}).",
        )
    return found


def _check_snapshot(names: Names, files: Tree, app_stack: Stack) -> None:
    """Refuse what CloudFormation would refuse of a database that exists, once the release is built.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html
    """
    if app_stack.parameters.get("RDSInstanceClass", "none") == "none":
        return
    before = app_stack.parameters.get("RDSSnapshotIdentifier", "")
    after = database_snapshot(files, names.env)
    if after is None or after == before:
        return
    made = f"from {before}" if before else "empty"
    raise ConfigError(
        f"{names.env}: the database {names.database} was made {made}, and by {file_name(names.env)} "
        f'RDSSnapshotIdentifier is "{after}": CloudFormation would have to replace the database, and '
        "refuses.",
        f'Write "RDSSnapshotIdentifier": "{before}" for as long as that database lives ({_HOW_TO}).',
    )


def describe_loss(env: str, database: str) -> str:
    """Return what a release that takes a database away does to it, as the beginning of a question."""
    return (
        f"The release takes the database {database} of {env} away: RDSInstanceClass is none. A final "
        "snapshot stays; the instance, its automated backups and its password are lost. Go on"
    )


def _database_of(aws: Aws, app_stack: Stack) -> str:
    """The database instance of the platform's stack inside the app's, "" if it has none."""
    for nested in aws.stacks.resources(app_stack.name, "AWS::CloudFormation::Stack"):
        inner = aws.stacks.describe(nested)
        # The app may nest stacks of its own, with databases that are its own business.
        if inner is not None and inner.parameters.get("RDSInstanceClass", "none") != "none":
            return next(iter(aws.stacks.resources(nested, "AWS::RDS::DBInstance")), "")
    return ""
