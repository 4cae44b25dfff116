"""The Invoke surface and composition root: what a ``tasks.py`` shows, composed here.

Every task that one of these modules makes with :func:`the_sink.tasks.decorator.task` is in the
namespace; its module decides under which prefix.

``invoke --list`` runs all of this file and the top of every module that it imports, within some 40 ms:
task modules import Invoke, :mod:`the_sink.errors` and one another at most, and all the rest inside
their tasks.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoke.collection import Collection


def app_namespace() -> Collection:
    """Return the tasks of an app, for its ``tasks.py`` to take as they are or to add its own to."""
    _keep_bytecode()
    from the_sink.tasks import (
        app_aws,
        app_local,
        approval,
        db,
        history,
        logs,
        rollback,
        sandbox,
        secrets,
        update,
    )

    return _compose(
        app_aws, history, rollback, logs, approval, app_local, update, db=db, sandbox=sandbox, secrets=secrets
    )


def platform_namespace(*more: ModuleType) -> Collection:
    """Return the tasks of the platform's own repository.

    Args:
        more: Modules of tasks that only the repository has, which no package carries.
    """
    _keep_bytecode()
    from the_sink.tasks import checkout, platform, runtimes, sandbox

    return _compose(*more, checkout, platform=platform, runtimes=runtimes, sandbox=sandbox)


def _compose(*top: ModuleType, **prefixed: ModuleType) -> Collection:
    from invoke.collection import Collection

    namespace = Collection()
    for module in top:
        _add_tasks(namespace, module)
    for prefix, module in prefixed.items():
        inner = Collection()
        _add_tasks(inner, module)
        namespace.add_collection(inner, prefix)
    return namespace


def _add_tasks(collection: Collection, module: ModuleType) -> None:
    from the_sink.tasks.decorator import SinkTask

    for found in vars(module).values():
        if isinstance(found, SinkTask) and found.__module__ == module.__name__:
            collection.add_task(found)


def _keep_bytecode() -> None:
    """Let Python cache what it compiles from here on.

    Invoke switches that off for the sake of the folder of ``tasks.py``, which is loaded by now. An
    environment made by uv has no bytecode yet, and would compile boto3 again for every task.
    """
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
