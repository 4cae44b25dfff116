"""Promoting a version: which channel moves to what, and what a person should be asked before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from the_sink.errors import InputError
from the_sink.models import Version, parse_version
from the_sink.naming import ENVIRONMENTS, PUBLICATIONS, STACK_TEMPLATE, Publication, legacy_channel_key
from the_sink.plan.steps import Step


@dataclass(frozen=True)
class CopyVersion(Step):
    """Point a channel at a published version; its bytes do not pass through this machine."""

    bucket: str
    version: str
    publication: Publication
    key: str

    def __str__(self) -> str:
        return f"move channel s3://{self.bucket}/{self.key} to version {self.version}"


@dataclass(frozen=True)
class ChannelsObserved:
    """What a bucket holds of one major version."""

    major: int
    published: Mapping[Publication, tuple[str, ...]]
    """Every version that has an immutable key; 1.0.0 has no ``sink-build``."""
    holds: Mapping[str, str | None]
    """By channel key: the version that it holds, "" where that is none of the published ones, None where
    there is no such channel."""


@dataclass(frozen=True)
class Promotion:
    """What a promotion will do.

    Attributes:
        env: The environment whose apps get it.
        held: The version that its channel holds now; "" for none, or for none that was published.
        version: The version that it will hold.
        steps: Empty where it holds that already.
        doubts: Sentences that a person should agree to before.
    """

    env: str
    held: str
    version: str
    steps: tuple[CopyVersion, ...]
    doubts: tuple[str, ...] = ()


def promoted_channels(major: int, env: str) -> tuple[tuple[Publication, str], ...]:
    """Return what a promotion to ``env`` moves, with its keys; the template's channel comes first.

    The legacy platform's apps follow prod.
    """
    channels = [(each, each.channel_key(major, env)) for each in PUBLICATIONS]
    if env == "prod" and major == 1:
        channels.append((STACK_TEMPLATE, legacy_channel_key()))
    return tuple(channels)


def check_promotable(env: str) -> str:
    """Return the environment before ``env``, which a promotion takes its version from.

    Raises:
        InputError: there is none before stage: a publish moves that.
    """
    if env == ENVIRONMENTS[0]:
        raise InputError(
            f"--env {env}: nothing is promoted to {env}; publishing a version moves it.",
            "Publish: invoke platform.publish. Then promote: invoke platform.promote --env uat.",
        )
    return ENVIRONMENTS[ENVIRONMENTS.index(env) - 1]


def plan_promotion(bucket: str, env: str, observed: ChannelsObserved, wanted: str = "") -> Promotion:
    """Decide what moves.

    Args:
        bucket: The platform's.
        env: ``uat`` or ``prod``.
        observed: The channels and versions there are.
        wanted: A version; "" for the one that the environment before ``env`` holds.

    Raises:
        InputError: ``wanted`` was never published, or the environment before holds none to promote.
    """
    before = check_promotable(env)
    source = STACK_TEMPLATE.channel_key(observed.major, before)
    published = observed.published[STACK_TEMPLATE]
    if wanted and wanted not in published:
        raise InputError(
            f"Version {wanted} was never published.",
            f"Published are: {', '.join(published)}."
            if published
            else "Publish one first: invoke platform.publish.",
        )
    offered = observed.holds.get(source)
    if not wanted and not offered:
        raise InputError(
            f"There is no template for {before} yet, so none to promote to {env}."
            if offered is None
            else f"The template of {before} (s3://{bucket}/{source}) is none of the published versions.",
            "Publish first: invoke platform.publish."
            if offered is None
            else f"Publish it anew (invoke platform.publish), or name a version: --version "
            f"{published[-1] if published else '1.0.0'}.",
        )
    version = wanted or offered or ""
    held = observed.holds.get(STACK_TEMPLATE.channel_key(observed.major, env)) or ""
    steps = tuple(
        CopyVersion(bucket, version, publication, key)
        for publication, key in _channels_behind(env, observed, version)
    )
    return Promotion(env, held, version, steps, _doubts(env, before, offered, held, version) if steps else ())


def next_promotion(env: str, observed: ChannelsObserved, version: str) -> str:
    """Return the first environment after ``env`` that does not hold a version yet, "" if there is none."""
    after = ENVIRONMENTS[ENVIRONMENTS.index(env) + 1 :]
    return next((each for each in after if _channels_behind(each, observed, version)), "")


def _channels_behind(
    env: str, observed: ChannelsObserved, version: str
) -> tuple[tuple[Publication, str], ...]:
    """What of ``env`` holds another version; a channel stays where the version has nothing for it."""
    return tuple(
        (publication, key)
        for publication, key in promoted_channels(observed.major, env)
        if version in observed.published[publication] and observed.holds.get(key) != version
    )


def _doubts(env: str, before: str, offered: str | None, held: str, version: str) -> tuple[str, ...]:
    doubts = []
    if offered != version:
        there = f"holds {offered}" if offered else "holds no published version"
        doubts.append(f"{before} {there}, not {version}: {env} would run what {before} does not")
    if _number(held) > _number(version):
        doubts.append(f"{env} holds {held}, which is newer than {version}: it would go back")
    return tuple(doubts)


def _number(version: str) -> Version:
    return parse_version(version) or Version(0, 0, 0)
