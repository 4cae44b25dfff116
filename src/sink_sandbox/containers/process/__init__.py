"""Compute without a Docker Engine: images as content-addressed folders, containers as processes.

A build of the sandbox meets it as ``docker`` on its PATH (:func:`install_docker_command`), ECS as the
client that it takes for docker-py's (:class:`ProcessEngine`). Between the two stands the sandbox's own
registry: what ECS starts is what was pushed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sink_sandbox.docker_cli.process.install import install_docker_command

if TYPE_CHECKING:
    from sink_sandbox.containers.process.engine import ProcessEngine

__all__ = ["ProcessEngine", "install_docker_command"]


def __getattr__(name: str) -> Any:
    # The engine needs docker-py's exceptions, whose import takes longer than most `docker` commands of a
    # build; those start in this package too.
    if name == "ProcessEngine":
        from sink_sandbox.containers.process.engine import ProcessEngine

        return ProcessEngine
    raise AttributeError(name)
