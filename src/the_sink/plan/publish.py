"""Publishing a version of the platform: files that never change, and channels that move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from the_sink.errors import InputError
from the_sink.naming import Publication
from the_sink.plan.steps import PutOnce, Step


@dataclass(frozen=True)
class MoveChannel(Step):
    """Point a channel, a moving key, at other bytes."""

    bucket: str
    key: str
    publication: Publication
    is_new: bool

    def __str__(self) -> str:
        return f"{'create' if self.is_new else 'move'} channel s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class PublishObserved:
    """What a bucket holds of one publication: whether each key exists, and whether it is equal."""

    publication: Publication

    version_is_equal: bool | None
    """None where the version was never published."""
    channels: Mapping[str, bool | None]
    """For every channel's key the same; the first is the one that a publish moves."""


def plan_publish(
    bucket: str, version: str, observed: Iterable[PublishObserved]
) -> tuple[PutOnce | MoveChannel, ...]:
    """Return the steps that publish a version and move the stage channels.

    Channels of later environments are created where they do not exist: nothing runs from them yet, so
    there is nothing that a promotion would protect. One that exists is moved by ``platform.promote`` only.

    Raises:
        InputError: the version was published with other bytes.
    """
    observed = tuple(observed)
    for each in observed:
        if each.version_is_equal is False:
            raise InputError(
                f"Version {version} is published already, with another {each.publication.source}.",
                "A published version never changes: raise `version` in pyproject.toml, reinstall, "
                "publish again.",
            )
    steps: list[PutOnce | MoveChannel] = []
    for each in observed:
        if each.version_is_equal is None:
            steps.append(PutOnce(bucket, each.publication.version_key(version)))
        for position, (key, is_equal) in enumerate(each.channels.items()):
            if is_equal is None or (position == 0 and not is_equal):
                steps.append(MoveChannel(bucket, key, each.publication, is_new=is_equal is None))
    return tuple(steps)
