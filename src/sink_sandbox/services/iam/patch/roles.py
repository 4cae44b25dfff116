"""Services act under the roles that they are given, as on AWS, and roles do what their policies allow.

ministack checks requests against IAM (``AUTH=true``), but its own services call one another past it, and it
lets any service assume any role that names a service at all. Here a role is assumed by whom its trust
policy names, and what a service does without a request is checked too.
"""

from __future__ import annotations

import contextvars
import secrets
import string
import threading
import time
from collections.abc import Sequence
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import request_scope
from ministack.services import iam, sts

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.iam.access import Access, AccessLog, Credentials, RoleRefused
from sink_sandbox.services.iam.patch.role_reach import why_out_of_reach

_SESSION_S = 365 * 24 * 3600
"""Sessions end with the sandbox: a task that holds one may run as long."""

_REFUSALS = {
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
    "ecs-tasks.amazonaws.com": (
        "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
        "role being passed has the proper trust relationship and permissions and that your IAM user has "
        "permissions to pass this role."
    ),
    # https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html
    "codebuild.amazonaws.com": "CodeBuild is not authorized to perform: sts:AssumeRole on {role}",
    # https://docs.aws.amazon.com/codepipeline/latest/userguide/troubleshooting.html
    "codepipeline.amazonaws.com": "CodePipeline is not authorized to perform AssumeRole on role {role}",
    "cloudformation.amazonaws.com": "Role {role} is invalid or cannot be assumed",
}


_is_question: contextvars.ContextVar[bool] = contextvars.ContextVar("is_question", default=False)
"""Whether a request would go on without what is asked for: a no is then an answer, and not a refusal."""


class ServiceRoles:
    """Hands out sessions, one for each role and service, and checks what services do under them."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self._sessions: dict[tuple[str, str], Credentials] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Record what roles ask for."""
        enforce = iam_evaluator.enforce

        def enforce_and_record(
            access_key_id: str,
            iam_action: str,
            service: str,
            region: str,
            resource_arn: str = "*",
            service_context: dict[str, Any] | None = None,
        ) -> Any:
            denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
            role = _role_of(access_key_id)
            if role and not _is_question.get() and not isinstance(denied, iam_evaluator.AuthError):
                self._log.record(Access(role, iam_action, resource_arn, allowed=denied is None))
            return denied

        iam_evaluator.enforce = enforce_and_record

    def forget(self) -> None:
        """Drop the sessions, because everything is."""
        with self._lock:
            self._sessions.clear()

    def assume(self, role: str, service: str, region: str, through: str = "") -> Credentials:
        """See :class:`sink_sandbox.services.iam.access.Roles`."""
        if through:
            self._check_chain(role, self.assume(through, service, region), service, region)
        elif not _trusts(role, service, region):
            told = _REFUSALS.get(service, "{service} is not authorized to perform: sts:AssumeRole on {role}")
            raise RoleRefused(told.format(role=role, service=service))
        with self._lock:
            known = self._sessions.get((role, service))
            if known is None:
                known = self._sessions[role, service] = _register(role, service)
            return known

    def _check_chain(self, role: str, caller: Credentials, service: str, region: str) -> None:
        """Refuse where one role may not assume another.

        Within an account it suffices that the trust policy names the role itself; one that names the account
        leaves it to the role's own policies.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
        """
        who = _session_arn(caller.role, service)
        if _trusts_role(role, who, region, by_name=True):
            return
        self.check(caller, "sts:AssumeRole", role, region)
        if not _trusts_role(role, who, region, by_name=False):
            why = "because no resource-based policy allows the sts:AssumeRole action"
            raise RoleRefused(_sentence(who, "sts:AssumeRole", role, why))

    def find(self, caller: str) -> Credentials | None:
        """Return the session whose ARN is ``caller``, if it was handed out here."""
        with self._lock:
            found = [known for key, known in self._sessions.items() if _session_arn(*key) == caller]
        return found[0] if found else None

    def check(
        self,
        credentials: Credentials,
        action: str,
        resource: str,
        region: str,
        context: dict[str, Any] | None = None,
    ) -> None:
        """See :class:`sink_sandbox.services.iam.access.Roles`."""
        self.check_key(credentials.access_key_id, action, resource, region, context)

    def check_key(
        self,
        access_key_id: str,
        action: str,
        resource: str,
        region: str,
        context: dict[str, Any] | None = None,
    ) -> None:
        """As ``check``, for any key: of a session that a client assumed, or of a user.

        Raises:
            RoleRefused: its policies do not allow it.
        """
        denied = _evaluate(access_key_id, action, resource, region, context)
        if denied is not None:
            raise RoleRefused(denial(action, resource, denied))

    def allows_key(self, access_key_id: str, action: str, resource: str, region: str) -> bool:
        """Return whether a key may do what its request can do without; a no is not recorded as refused."""
        return _evaluate(access_key_id, action, resource, region, is_question=True) is None

    def check_reach(self, credentials: Credentials, actions: Sequence[str], resource: str) -> None:
        """See :class:`sink_sandbox.services.iam.access.Roles`."""
        why = why_out_of_reach(role_name(credentials.role), actions)
        if why:
            self._log.record(Access(credentials.role, actions[0], resource, allowed=False))
            who = sts._sessions[credentials.access_key_id]["Arn"]
            raise RoleRefused(_sentence(who, actions[0], resource, why))


def _evaluate(
    access_key_id: str,
    action: str,
    resource: str,
    region: str,
    context: dict[str, Any] | None = None,
    *,
    is_question: bool = False,
) -> Any:
    """Return why a key may not do something; None if it may."""

    def evaluate() -> Any:
        _is_question.set(is_question)
        iam_evaluator.pin_request_origin("127.0.0.1", True)
        with request_scope(ACCOUNT_ID, region):
            return iam_evaluator.enforce(
                access_key_id, action, action.partition(":")[0], region, resource, context
            )

    # In a context of its own: that of a request holds its caller's signature.
    return contextvars.Context().run(evaluate)


def denial(action: str, resource: str, denied: Any) -> str:
    """Return AWS's sentence for the evaluator's answer ``denied``.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    if isinstance(denied, iam_evaluator.AuthError):
        return str(denied.message)
    if denied.decision == "Deny":
        kind = "resource-based" if denied.resource_policy_arn else "identity-based"
        why = f"with an explicit deny in a {kind} policy"
    else:
        why = f"because no identity-based policy allows the {action} action"
    return _sentence(denied.principal_arn, action, resource, why)


def _sentence(who: str, action: str, resource: str, why: str) -> str:
    return f"User: {who} is not authorized to perform: {action} on resource: {resource} {why}"


def role_name(arn: str) -> str:
    """Return the name of a role from its ARN, which may have a path."""
    return arn.rpartition("/")[2]


def _find(role: str) -> dict[str, Any] | None:
    account = role.split(":")[4] if role.count(":") >= 5 else ""
    found = iam._roles.get_scoped(account, None, role_name(role))
    return found if found is not None and found["Arn"] == role else None


def _trusts_role(role: str, caller: str, region: str, *, by_name: bool) -> bool:
    """Whether the role's trust policy allows a session of another role: named itself, or with its account."""
    found = _find(role)
    request = iam_evaluator.EvalContext(
        principal_arn=caller,
        principal_type="AssumedRole",
        principal_account=ACCOUNT_ID,
        action="sts:AssumeRole",
        resource_arn=role,
        region=region,
    )
    trust = (found or {}).get("AssumeRolePolicyDocument", "{}")
    decision = iam_evaluator.evaluate_resource_policy(trust, request, named_only=by_name).decision
    return bool(decision == "Allow")


def _trusts(role: str, service: str, region: str) -> bool:
    """Whether the role's trust policy names the service, in a request of this account.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    found = _find(role)
    if found is None:
        return False
    request = iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account=ACCOUNT_ID,
        action="sts:AssumeRole",
        resource_arn=role,
        region=region,
        service_context={"aws:sourceaccount": ACCOUNT_ID},
    )
    trust = found.get("AssumeRolePolicyDocument", "{}")
    return bool(iam_evaluator.evaluate_resource_policy(trust, request, service).decision == "Allow")


def _register(role: str, service: str) -> Credentials:
    letters = string.ascii_uppercase + string.digits
    credentials = Credentials(
        role=role,
        access_key_id="ASIA" + "".join(secrets.choice(letters) for _ in range(16)),
        secret_access_key=secrets.token_urlsafe(30),
        session_token=secrets.token_urlsafe(60),
    )
    found = _find(role) or {}
    sts.register_session(
        credentials.access_key_id,
        {
            "Arn": _session_arn(role, service),
            "UserId": f"{found.get('RoleId', '')}:{_session_name(service)}",
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": time.time() + _SESSION_S,
            "AccountId": ACCOUNT_ID,
            "PrincipalType": "AssumedRole",
        },
    )
    return credentials


def _session_arn(role: str, service: str) -> str:
    return f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role_name(role)}/{_session_name(service)}"


def _session_name(service: str) -> str:
    return service.partition(".")[0]


def _role_of(access_key_id: str) -> str:
    """Return the ARN of the role that an access key is a session of, "" if it is none."""
    session = sts._sessions.get(access_key_id)
    if session is None or session.get("PrincipalType") != "AssumedRole":
        return ""
    name = str(session["Arn"]).split("/")[1]
    role = iam._roles.get_scoped(session["AccountId"], None, name)
    return str(role["Arn"]) if role else ""
