"""What ``ecr get-login-password`` gives: a key's name and an end, under the sandbox's secret.

Nothing is kept of it, so it outlives a restart as root's does on AWS
(https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html: twelve hours); that the key still
exists is asked when it is used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from pathlib import Path

from sink_sandbox.authentication.secret import ROOT_KEY, read_secret

VALID_S = 12 * 3600
USER = "AWS"


def make_token(secret: str, access_key_id: str, now: float | None = None) -> str:
    """Return a token that signs its holder in to the registry as the key's owner."""
    ends = int((time.time() if now is None else now) + VALID_S)
    return f"{access_key_id}.{ends}.{_seal(secret, access_key_id, str(ends))}"


def make_root_token(home: Path) -> str:
    """Return one of root's, for the sandbox whose state is in ``home`` to ask its own registry."""
    return make_token(read_secret(home), ROOT_KEY)


def read_token(secret: str, authorization: str, now: float | None = None) -> str:
    """Return the key that a basic ``Authorization`` header was made for, "" where it is not a valid one."""
    kind, _, encoded = authorization.partition(" ")
    try:
        user, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return ""
    key, _, rest = token.partition(".")
    ends, _, seal = rest.partition(".")
    if kind.lower() != "basic" or user != USER or not key or not ends.isascii() or not ends.isdigit():
        return ""
    is_ours = hmac.compare_digest(seal.encode(), _seal(secret, key, ends).encode())
    return key if is_ours and (time.time() if now is None else now) < int(ends) else ""


def _seal(secret: str, access_key_id: str, ends: str) -> str:
    text = f"ecr-login\n{access_key_id}\n{ends}".encode()
    sealed = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
