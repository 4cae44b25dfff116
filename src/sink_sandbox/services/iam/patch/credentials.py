"""The keys that the emulator knows: root's secret is the sandbox's, and sessions and users have their own.

ministack takes any secret for root, and several names beside: here there is one of each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import _account_from_sts_session

from sink_sandbox.authentication.signature import Refused
from sink_sandbox.client.lifecycle import ACCOUNT_ID


class Keys:
    """Root's key and every key that was made with it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def install(self) -> None:
        """Let what ministack verifies go by root's secret; comes before its services are imported."""
        resolve = iam_evaluator.resolve_credential

        def resolve_credential(access_key_id: str, *arguments: Any, **named: Any) -> Any:
            found = resolve(access_key_id, *arguments, **named)
            if isinstance(found, iam_evaluator.ResolvedCredential) and found.principal_type == "Root":
                return replace(found, secret_access_key=self._secret)
            return found

        iam_evaluator.resolve_credential = resolve_credential

    def find_secret(self, access_key_id: str, token: str | None) -> str:
        """Return a key's secret.

        Args:
            access_key_id: Root's, or one of a session or a user.
            token: The session token that came with it, "" for none; None asks for none.

        Raises:
            Refused: there is no such key, it has ended, or the token is another one.
        """
        if access_key_id == ACCOUNT_ID and not token:
            return self._secret
        found = None
        if not iam_evaluator.is_root_access_key(access_key_id):
            account = _account_from_sts_session(access_key_id) or ACCOUNT_ID
            asked = () if token is None else (token,)
            found = iam_evaluator.resolve_credential(access_key_id, account, *asked)
        if isinstance(found, iam_evaluator.ResolvedCredential):
            return str(found.secret_access_key)
        if found is not None and found.code == "ExpiredTokenException":
            raise Refused("ExpiredToken", "The session of this key has ended.")
        raise Refused(
            "InvalidClientTokenId",
            'The sandbox does not know this key: take what `eval "$(invoke sandbox.env)"` sets.',
        )
