"""Signature Version 4: reading it off a request, computing what it should be, and signing small requests.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. On the standard
library, because every command that asks a sandbox anything signs; what only a server needs is imported there.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote, urlencode

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()

_SKEW = timedelta(minutes=15)
"""https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, RequestTimeTooSkewed."""

_LONGEST_S = 7 * 24 * 3600
"""https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, X-Amz-Expires."""


class Refused(Exception):
    """A request that is not answered; ``code`` is AWS's name for it, the message one sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Request:
    """What is signed of a request, but for its body."""

    method: str
    raw_path: str
    """Percent-encoded, as it was sent."""
    query: str
    """As it was sent, without the question mark."""
    headers: Mapping[str, str]
    """As they are signed: names in lower case, blanks in a row made one, lines of a name joined by commas."""


@dataclass(frozen=True)
class Signature:
    """A signature as a request carries it."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str
    amz_date: str
    token: str
    expires_s: int | None
    """How long a presigned request is good; None for one that is signed in its header."""

    @property
    def scope(self) -> str:
        """The credential's scope, as a string to sign holds it."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_signature(request: Request) -> Signature:
    """Return a request's signature, which may be wrong.

    Raises:
        Refused: there is none, there are two, or parts of it are missing.
    """
    authorization = request.headers.get("authorization", "")
    query = _pairs(request.query)
    names = [name.lower() for name, _ in query]
    in_query = [name for name in ("x-amz-signature", "x-amz-credential", "x-amz-algorithm") if name in names]
    if authorization and (in_query or "awsaccesskeyid" in names):
        raise Refused("InvalidArgument", "Only one signature is allowed, and this request has two.")
    if in_query:
        return _read_query(query)
    if "awsaccesskeyid" in names or authorization.startswith("AWS "):
        # S3's own words to Signature Version 2, which boto3 presigns with where nobody chooses ``s3v4``.
        raise Refused(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
    if not authorization:
        raise Refused(
            "MissingAuthenticationToken",
            "The sandbox answers signed requests only; a shell gets its keys by: eval $(invoke sandbox.env)",
        )
    return _read_header(authorization, request.headers)


def check_time(signature: Signature, now: datetime) -> None:
    """Refuse a signature that is too old, or not yet good.

    Raises:
        Refused: saying which.
    """
    try:
        signed_at = datetime.strptime(signature.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(
            "IncompleteSignature", "The signature has no date in the form 20260131T235959Z."
        ) from None
    if signature.date != signature.amz_date[:8]:
        raise Refused("SignatureDoesNotMatch", "The signature's scope is of another day than its date.")
    if signed_at > now + _SKEW:
        raise Refused("RequestTimeTooSkewed", f"The signature is of {signature.amz_date}, which is to come.")
    if signature.expires_s is None:
        if signed_at < now - _SKEW:
            raise Refused("RequestTimeTooSkewed", f"The signature is of {signature.amz_date}, too long ago.")
    elif signed_at + timedelta(seconds=signature.expires_s) < now:
        raise Refused("AccessDenied", "The presigned address has expired.")


def check_signed_headers(request: Request, signature: Signature) -> None:
    """Refuse headers that say what AWS obeys and that nobody has signed.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, SignedHeaders.

    Raises:
        Refused: naming the first of them.
    """
    signed = set(signature.signed_headers)
    for name in ("host", *sorted(name for name in request.headers if name.startswith("x-amz-"))):
        if name not in signed:
            raise Refused("AccessDenied", f"The header {name} is not signed.")


def expected(request: Request, signature: Signature, secret: str, payload_hash: str) -> str:
    """Return the signature that a request with this body would have by this secret."""
    text = "\n".join(
        (ALGORITHM, signature.amz_date, signature.scope, _hash(_canonical(request, signature, payload_hash)))
    )
    return sign_text(signature, secret, text)


def sign_text(signature: Signature, secret: str, text: str) -> str:
    """Return the signature of a string to sign, in the scope of another one."""
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def sign(method: str, path: str, host: str, access_key_id: str, secret: str) -> dict[str, str]:
    """Return the headers that sign a request without query and body to the sandbox's own paths."""
    amz_date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-date": amz_date}
    blank = Signature(
        access_key_id, amz_date[:8], "local", "sandbox", tuple(sorted(headers)), "", amz_date, "", None
    )
    value = expected(Request(method, path, "", headers), blank, secret, EMPTY_HASH)
    return {
        "Host": host,
        "X-Amz-Date": amz_date,
        "Authorization": f"{ALGORITHM} Credential={access_key_id}/{blank.scope}, "
        f"SignedHeaders={';'.join(blank.signed_headers)}, Signature={value}",
    }


def presign(path: str, host: str, access_key_id: str, secret: str, region: str, expires_s: int) -> str:
    """Return the path with a query that lets whoever has it GET it for a while, as S3's addresses do."""
    amz_date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    blank = Signature(access_key_id, amz_date[:8], region, "s3", ("host",), "", amz_date, "", expires_s)
    query = urlencode(
        {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{access_key_id}/{blank.scope}",
            "X-Amz-Date": amz_date,
            "X-Amz-Expires": str(expires_s),
            "X-Amz-SignedHeaders": "host",
        }
    )
    value = expected(Request("GET", path, query, {"host": host}), blank, secret, UNSIGNED)
    return f"{path}?{query}&X-Amz-Signature={value}"


def _read_header(authorization: str, headers: Mapping[str, str]) -> Signature:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise Refused("IncompleteSignature", f"The sandbox reads signatures of {ALGORITHM} only.")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    return _signature(
        fields.get("Credential", ""),
        fields.get("SignedHeaders", ""),
        fields.get("Signature", ""),
        headers.get("x-amz-date", ""),
        headers.get("x-amz-security-token", ""),
        None,
    )


def _read_query(pairs: list[tuple[str, str]]) -> Signature:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name.lower().startswith("x-amz-"):
            if name in found:
                raise Refused("IncompleteSignature", f"The request has {name} twice.")
            found[name] = value
    if found.get("X-Amz-Algorithm") != ALGORITHM:
        raise Refused("IncompleteSignature", f"The sandbox reads signatures of {ALGORITHM} only.")
    # Services other than S3 take a signed query without it, for as long as a signed header is good.
    wanted = found.get("X-Amz-Expires", str(int(_SKEW.total_seconds())))
    if not wanted.isascii() or not wanted.isdigit() or not 0 < int(wanted) <= _LONGEST_S:
        raise Refused("AuthorizationQueryParametersError", "X-Amz-Expires is from 1 to 604800 seconds.")
    return _signature(
        found.get("X-Amz-Credential", ""),
        found.get("X-Amz-SignedHeaders", ""),
        found.get("X-Amz-Signature", ""),
        found.get("X-Amz-Date", ""),
        found.get("X-Amz-Security-Token", ""),
        int(wanted),
    )


def _signature(
    credential: str, signed_headers: str, value: str, amz_date: str, token: str, expires_s: int | None
) -> Signature:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request" or not all((*parts, signed_headers, value, amz_date)):
        raise Refused("IncompleteSignature", "Parts of the request's signature are missing.")
    key, date, region, service, _ = parts
    names = tuple(signed_headers.lower().split(";"))
    return Signature(key, date, region, service, names, value, amz_date, token, expires_s)


def _canonical(request: Request, signature: Signature, payload_hash: str) -> str:
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in _pairs(request.query)
        if signature.expires_s is None or name != "X-Amz-Signature"
    )
    headers = "".join(f"{name}:{request.headers.get(name, '')}\n" for name in signature.signed_headers)
    return "\n".join(
        (
            request.method,
            _canonical_path(request.raw_path, signature.service),
            "&".join(f"{name}={value}" for name, value in query),
            headers,
            ";".join(signature.signed_headers),
            payload_hash,
        )
    )


def _canonical_path(raw_path: str, service: str) -> str:
    """S3 signs a path as it is; every other service normalizes it and encodes it once more."""
    if service == "s3":
        return quote(unquote(raw_path, errors="surrogateescape"), safe="/-_.~", errors="surrogateescape")
    if "//" not in raw_path and "/." not in raw_path:
        return quote(raw_path, safe="/-_.~")
    from botocore.utils import normalize_url_path

    return quote(normalize_url_path(raw_path), safe="/-_.~")


def _pairs(query: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


@lru_cache(maxsize=512)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
