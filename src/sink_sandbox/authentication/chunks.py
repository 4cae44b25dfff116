"""Bodies that are signed chunk by chunk (``aws-chunked``), each signature on top of the one before.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and, where headers follow the last
chunk, https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html.
"""

from __future__ import annotations

import hashlib
import hmac

from sink_sandbox.authentication.signature import EMPTY_HASH, Signature, sign_text

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_WITH_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

_MARK = b";chunk-signature="
_TRAILER_MARK = b"x-amz-trailer-signature:"


def chunks_are_signed(body: bytes, signature: Signature, secret: str, *, trailer: bool) -> bool:
    """Whether each chunk's signature is right, the first of them on top of the request's.

    Args:
        body: As it was sent, chunk headers included.
        signature: The request's own, which was found to be right.
        secret: Of its key.
        trailer: Signed headers follow the last chunk.
    """
    previous, place = signature.value, 0
    while True:
        end = body.find(b"\r\n", place)
        size_text, mark, given = body[place : max(end, place)].partition(_MARK)
        try:
            size = int(size_text, 16)
        except ValueError:
            return False
        start = end + 2
        chunk = body[start : start + size]
        if not mark or len(chunk) != size:
            return False
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                signature.amz_date,
                signature.scope,
                previous,
                EMPTY_HASH,
                hashlib.sha256(chunk).hexdigest(),
            )
        )
        previous = sign_text(signature, secret, text)
        if not hmac.compare_digest(previous.encode(), given.strip()):
            return False
        if size == 0:
            rest = body[start:]
            return _trailer_is_signed(rest, previous, signature, secret) if trailer else not rest.strip()
        if body[start + size : start + size + 2] != b"\r\n":
            return False
        place = start + size + 2


def _trailer_is_signed(rest: bytes, previous: str, signature: Signature, secret: str) -> bool:
    lines = [line.strip() for line in rest.split(b"\r\n") if line.strip()]
    given = [line.removeprefix(_TRAILER_MARK).strip() for line in lines if line.startswith(_TRAILER_MARK)]
    held = b"".join(line + b"\n" for line in lines if not line.startswith(_TRAILER_MARK))
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256-TRAILER",
            signature.amz_date,
            signature.scope,
            previous,
            hashlib.sha256(held).hexdigest(),
        )
    )
    wanted = sign_text(signature, secret, text)
    return len(given) == 1 and hmac.compare_digest(wanted.encode(), given[0])
