"""Every way in which AWS cannot be asked, or refuses, as one sentence and a next step.

This is the only place that turns botocore's exceptions into ours. Service classes are decorated with
``translated``; what such a class means to handle itself (a stack that does not exist) it catches before.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from botocore import exceptions as boto

from the_sink.aws.target import Target
from the_sink.errors import AccessError, EndpointUnavailable, InputError, SinkError

# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and the services' own pages.
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_KEY = frozenset(
    {
        "AuthFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "403"}
)
_THROTTLED = frozenset(
    {"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)


class _Edge(Protocol):
    _target: Target


E = TypeVar("E", bound=_Edge)


def translated(service: str) -> Callable[[type[E]], type[E]]:
    """Class decorator: whatever botocore raises out of a public method becomes one of our errors.

    Args:
        service: How people call the service, for the sentence.
    """

    def decorate(cls: type[E]) -> type[E]:
        for name, member in list(vars(cls).items()):
            if inspect.isfunction(member) and not name.startswith("_"):
                setattr(cls, name, _translating_method(service, member))
        return cls

    return decorate


def _translating_method(service: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: _Edge, *args: Any, **kwargs: Any) -> Any:
        with translate_errors(service, self._target):
            return method(self, *args, **kwargs)

    return call


@contextmanager
def translate_errors(service: str, target: Target) -> Iterator[None]:
    """Turn what botocore raises inside the block into one of our errors."""
    try:
        yield
    except boto.ClientError as error:
        raise _refused(error, service, target) from error
    except boto.BotoCoreError as error:
        raise _not_asked(error, service, target) from error


def error_code(error: boto.ClientError) -> str:
    """Return AWS's code of an error, for example ``ValidationError``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_text(error: boto.ClientError) -> str:
    """Return AWS's sentence without its full stop."""
    return str(error.response.get("Error", {}).get("Message", "")).strip().rstrip(".")


def _not_asked(error: boto.BotoCoreError, service: str, target: Target) -> SinkError:
    sign_in = _sign_in_hint(target)
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError():
            return AccessError("There are no AWS credentials on this machine.", sign_in)
        case boto.ProfileNotFound():
            return AccessError(
                f"This machine has no AWS profile {str(error.kwargs.get('profile'))!r}.",
                "See `aws configure list-profiles`; correct AWS_PROFILE, or `profile` in sink.toml.",
            )
        case (
            boto.SSOError()
            | boto.TokenRetrievalError()
            | boto.CredentialRetrievalError()
            | boto.MetadataRetrievalError()
        ):
            return AccessError("The AWS sign-in has expired or cannot be used.", sign_in)
        case boto.ConfigParseError():
            return AccessError("The AWS configuration of this machine cannot be read.", sign_in)
        case boto.HTTPClientError() | boto.ConnectionError():
            return _unreachable(service, target)
    return SinkError(f"{service} could not be asked: {error}.")


def _unreachable(service: str, target: Target) -> SinkError:
    if target.sandbox_url:
        return EndpointUnavailable(
            f"The sandbox at {target.sandbox_url} does not answer.",
            "Start it again with `invoke sandbox.start` (what it held is kept), then run the same command.",
        )
    return InputError(
        f"{service} in {target.region} cannot be reached from this machine.",
        "Check the network and the region's name in sink.toml, or add --sandbox to work without AWS.",
    )


def _refused(error: boto.ClientError, service: str, target: Target) -> SinkError:
    code, said = error_code(error), error_text(error)
    operation = error.operation_name
    if code in _EXPIRED:
        return AccessError("The AWS credentials have expired.", _sign_in_hint(target))
    if code in _UNKNOWN_KEY:
        return AccessError("AWS does not know these credentials.", _sign_in_hint(target))
    if code in _DENIED:
        return AccessError(
            f"AWS denied {service} {operation}: {said or 'no reason given'}.",
            "Ask whoever keeps the account for that permission, or choose another profile.",
        )
    if code in _THROTTLED:
        return SinkError(
            f"{service} answers no more {operation} requests for now: {said or code}.",
            "Wait a minute and run the same command again.",
        )
    return SinkError(f"{service} refused {operation}: {said or code}.")


def _sign_in_hint(target: Target) -> str:
    profile = f" --profile {target.profile}" if target.profile else ""
    return f"Sign in (`aws sso login{profile}` or `aws configure`), or add --sandbox to work without AWS."
