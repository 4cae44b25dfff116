"""Load balancers: their addresses open as they are, and requests go to the processes behind the targets.

A load balancer's name is ``<name>.alb.localhost:<port of the sandbox>``. Such requests are taken before
the emulator's own routes, because it answers some paths (``/health`` among them) on any host, and looks
load balancers up in the request's region, which a browser does not name. WebSockets take the same way.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack_app
from ministack.core.responses import StreamingResponse, request_scope
from ministack.services import alb

from sink_sandbox.services.elb import peer as peers
from sink_sandbox.services.elb.target_exchange import Address, Answer, TargetFailed, bridge_websocket

SUFFIX = ".alb.localhost"

Resolve = Callable[[str, int], "tuple[str, int] | None"]

_PASSED_ON: tuple[int, dict[str, Any], bytes] = (101, {}, b"")
"""What stands for the answer to a WebSocket that a target has taken."""

_websocket: ContextVar[tuple[Any, Any, Any] | None] = ContextVar("websocket", default=None)
"""Scope, receive and send of the WebSocket that is being led to a target, if it is one."""


class Balancers:
    """The data plane of all load balancers.

    Args:
        port: The sandbox's.
        resolve: Where a target's address and port really are.
        peer: The address of this machine from which targets are reached, "" where the way to them decides.
        is_alone: Targets are processes of this machine, so that without ``peer`` it is their own loopback.
    """

    def __init__(self, port: int, resolve: Resolve, peer: str, is_alone: bool) -> None:
        self._port = port
        self._resolve = resolve
        self._peer = peer
        self._is_alone = is_alone
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()

    def install(self) -> None:
        """Give load balancers their addresses and lead requests to where targets really listen."""
        self._name_load_balancers()
        self._proxy_to_processes()

    def serves(self, scope: dict[str, Any]) -> bool:
        """Whether a request is for a load balancer."""
        return _host(scope).partition(":")[0].endswith(SUFFIX)

    def notes(self) -> list[str]:
        """Return a sentence where a load balancer would speak TLS, or is loopback to its targets."""
        found = []
        if any(listener.get("Protocol") == "HTTPS" for _, listener in alb._listeners.all_items()):
            found.append(
                "AWS::ElasticLoadBalancingV2::Listener*: HTTPS is answered at the HTTP address, without TLS"
            )
        if self._is_alone and list(alb._lbs.all_items()):
            found += peers.notes(self._peer)
        return found

    def in_flight(self, address: str) -> int:
        """Return how many requests a target is answering."""
        with self._lock:
            return self._busy[address]

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request, or take one WebSocket, as the load balancer of its host would."""
        if scope["type"] == "websocket":
            await self._take_websocket(scope, receive, send)
            return
        headers = _headers(scope)
        try:
            body = await ministack_app._read_request_body(receive, scope["method"], headers)
        except (ministack_app._RequestBodyDisconnected, ministack_app._IncompleteRequestBody):
            return
        answer = await self._dispatch(scope, scope["method"], headers, body)
        await ministack_app._send_if_handled(send, answer, receive, head=scope["method"] == "HEAD")

    async def _take_websocket(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Lead a WebSocket to a target by the rules that requests follow.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
        """
        await receive()  # websocket.connect
        marked = _websocket.set((scope, receive, send))
        try:
            answer = await self._dispatch(scope, "GET", _headers(scope), b"")
        finally:
            _websocket.reset(marked)
        if answer is None or answer[0] == _PASSED_ON[0]:
            return
        status, headers, body = answer
        pairs = [
            (name.lower().encode(), str(each).encode("latin-1"))
            for name, value in headers.items()
            for each in (value if isinstance(value, list) else [value])
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}
        ]
        await send({"type": "websocket.http.response.start", "status": status, "headers": pairs})
        await send({"type": "websocket.http.response.body", "body": body})

    async def _dispatch(
        self, scope: dict[str, Any], method: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any], Any]:
        found = self._find(headers.get("host", "").partition(":")[0])
        if found is None:
            message = f"There is no load balancer {headers.get('host', '')}.\n".encode()
            return 404, {"Content-Type": "text/plain"}, message
        account, region, load_balancer = found
        query = scope.get("query_string", b"").decode("latin-1")
        with request_scope(account, region):
            # The address stands for the listener that serves, whatever port the sandbox has: where there is
            # one for HTTPS, that on port 80 would only lead to an address that nobody answers here.
            return await alb.dispatch_request(
                load_balancer,
                method,
                scope["path"],
                headers,
                body,
                parse_qs(query, keep_blank_values=True),
                443 if _has_https(load_balancer["LoadBalancerArn"]) else 80,
                client_ip=(scope.get("client") or ("127.0.0.1",))[0],
                raw_query_string=query,
                raw_path=scope["raw_path"].decode("ascii") if scope.get("raw_path") else None,
            )

    def _find(self, host: str) -> tuple[str, str, dict[str, Any]] | None:
        name = host.lower().removesuffix(SUFFIX)
        for (account, region, _), load_balancer in alb._lbs.all_items():
            if load_balancer["LoadBalancerName"].lower() == name:
                return account, region, load_balancer
        return None

    def name_address(self, load_balancer: dict[str, Any]) -> str:
        """Let a load balancer's record say its address here, and return it."""
        load_balancer["DNSName"] = f"{load_balancer['LoadBalancerName'].lower()}{SUFFIX}:{self._port}"
        return str(load_balancer["DNSName"])

    def _name_load_balancers(self) -> None:
        render = alb._lb_xml

        def lb_xml(load_balancer: dict[str, Any]) -> Any:
            self.name_address(load_balancer)
            return render(load_balancer)

        alb._lb_xml = lb_xml

    def _proxy_to_processes(self) -> None:
        target_headers = alb._target_headers

        def headers_with_port(*arguments: Any) -> dict[str, str]:
            # As its visitor came: on the sandbox's port, without TLS.
            came = {"x-forwarded-port": str(self._port), "x-forwarded-proto": "http"}
            return {**target_headers(*arguments), **came}

        async def proxy_to_process(
            target: dict[str, Any],
            group: dict[str, Any],
            method: str,
            path: str,
            headers: dict[str, str],
            body: bytes,
            _query_params: Any,
            query: str = "",
        ) -> Any:
            address = str(target["Id"])
            with self._lock:
                self._busy[address] += 1
            try:
                port = int(target.get("Port") or group.get("Port") or 80)
                place = Address(*(self._resolve(address, port) or (address, port)), self._peer)
                request = path + (f"?{query}" if query else "")
                if marked := _websocket.get():
                    refused = await bridge_websocket(place, request, headers, *marked)
                    self._release(address)
                    return refused or _PASSED_ON
                answer = Answer(place, alb.TARGET_IDLE_TIMEOUT)
                await answer.open(method, request, headers, body or b"")
            except BaseException as error:
                self._release(address)
                if isinstance(error, TargetFailed):
                    message = json.dumps({"message": str(error)}).encode()
                    return 502, {"Content-Type": "application/json"}, message
                raise
            body_of = StreamingResponse(self._counted(address, answer.pass_body_on))
            return answer.status, answer.headers, body_of

        alb._proxy_http_target = proxy_to_process
        alb._target_headers = headers_with_port
        # An app that answers with an absolute address must name the port that its visitor came by.
        alb._target_host_header = lambda host, _listener_port: host

    def _counted(self, address: str, runner: Any) -> Any:
        async def run(send: Any, receive: Any) -> None:
            try:
                await runner(send, receive)
            finally:
                self._release(address)

        return run

    def _release(self, address: str) -> None:
        with self._lock:
            self._busy[address] -= 1
            if self._busy[address] <= 0:
                del self._busy[address]


def _has_https(load_balancer_arn: str) -> bool:
    return any(
        listener["LoadBalancerArn"] == load_balancer_arn and listener.get("Protocol") == "HTTPS"
        for listener in list(alb._listeners.values())
    )


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
    return headers


def _host(scope: dict[str, Any]) -> str:
    for name, value in scope.get("headers", []):
        if name.lower() == b"host":
            return str(value.decode("latin-1").lower())
    return ""
