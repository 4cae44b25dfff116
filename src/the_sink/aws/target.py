"""Which AWS is meant: an account and region, or the embedded one of this laptop (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass, field

SANDBOX_ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Target:
    """The AWS that a task is about.

    Args:
        region: Where everything of this environment lives.
        account: The account it must be; None where ``sink.toml`` names none.
        profile: A profile of the shared AWS configuration; None leaves the choice to the AWS tools' own
            order (environment, default profile, role of the machine).
        sandbox_url: The sandbox's address; nothing of this machine's AWS configuration is read.
        sandbox_secret: The secret of its one key, which is ``SANDBOX_ACCOUNT``.
    """

    region: str
    account: str | None = None
    profile: str | None = None
    sandbox_url: str | None = None
    sandbox_secret: str = field(default="", repr=False)

    @classmethod
    def sandbox(cls, region: str, endpoint_url: str, secret: str) -> Target:
        """The embedded AWS of this laptop, which has one account for every app."""
        return cls(region=region, account=SANDBOX_ACCOUNT, sandbox_url=endpoint_url, sandbox_secret=secret)

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the embedded AWS."""
        return self.sandbox_url is not None

    @property
    def flags(self) -> str:
        """What a task's command line ends with to mean this AWS again, with its blank."""
        return " --sandbox" if self.is_sandbox else ""
