"""Load balancers: their addresses open as they are, and requests go to the processes behind the targets.

A load balancer's name is ``<name>.alb.localhost:<port of the sandbox>``. Such requests are taken before
the emulator's own routes, because it answers some paths (``/health`` among them) on any host, and looks
load balancers up in the request's region, which a browser does not name.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack_app
from ministack.core.responses import StreamingResponse, request_scope
from ministack.services import alb
from ministack.services.cloudformation import provisioners

SUFFIX = ".alb.localhost"

Resolve = Callable[[str, int], "tuple[str, int] | None"]


class Balancers:
    """The data plane of all load balancers."""

    def __init__(self, port: int, resolve: Resolve) -> None:
        self._port = port
        self._resolve = resolve
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
        """Return a sentence where a load balancer would speak TLS."""
        if any(listener.get("Protocol") == "HTTPS" for _, listener in alb._listeners.all_items()):
            return [
                "AWS::ElasticLoadBalancingV2::Listener*: HTTPS is answered at the HTTP address, without TLS"
            ]
        return []

    def in_flight(self, address: str) -> int:
        """Return how many requests a target is answering."""
        with self._lock:
            return self._busy[address]

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request as the load balancer of its host would."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            separator = "; " if name == "cookie" else ", "
            headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
        found = self._find(headers.get("host", "").partition(":")[0])
        if found is None:
            message = f"There is no load balancer {headers.get('host', '')}.\n".encode()
            await ministack_app._send_response(send, 404, {"Content-Type": "text/plain"}, message)
            return
        account, region, load_balancer = found
        try:
            body = await ministack_app._read_request_body(receive, scope["method"], headers)
        except (ministack_app._RequestBodyDisconnected, ministack_app._IncompleteRequestBody):
            return
        query = scope.get("query_string", b"").decode("latin-1")
        with request_scope(account, region):
            # The address stands for the listener that serves, whatever port the sandbox has: where there is
            # one for HTTPS, that on port 80 would only lead to an address that nobody answers here.
            answer = await alb.dispatch_request(
                load_balancer,
                scope["method"],
                scope["path"],
                headers,
                body,
                parse_qs(query, keep_blank_values=True),
                443 if _has_https(load_balancer["LoadBalancerArn"]) else 80,
                client_ip=(scope.get("client") or ("127.0.0.1",))[0],
                raw_query_string=query,
                raw_path=scope["raw_path"].decode("ascii") if scope.get("raw_path") else None,
            )
        await ministack_app._send_if_handled(send, answer, receive)

    def _find(self, host: str) -> tuple[str, str, dict[str, Any]] | None:
        name = host.lower().removesuffix(SUFFIX)
        for (account, region, _), load_balancer in alb._lbs.all_items():
            if load_balancer["LoadBalancerName"].lower() == name:
                return account, region, load_balancer
        return None

    def _name_load_balancers(self) -> None:
        render = alb._lb_xml
        handlers = provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::LoadBalancer"]
        create, update = handlers["create"], handlers["update"]

        def address(load_balancer: dict[str, Any]) -> str:
            load_balancer["DNSName"] = f"{load_balancer['LoadBalancerName'].lower()}{SUFFIX}:{self._port}"
            return str(load_balancer["DNSName"])

        def lb_xml(load_balancer: dict[str, Any]) -> Any:
            address(load_balancer)
            return render(load_balancer)

        def named(answer: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
            arn, attributes = answer
            return arn, {**attributes, "DNSName": address(alb._lbs[arn])}

        alb._lb_xml = lb_xml
        handlers["create"] = lambda *arguments: named(create(*arguments))
        handlers["update"] = lambda *arguments: named(update(*arguments))

    def _proxy_to_processes(self) -> None:
        proxy, target_headers = alb._proxy_http_target, alb._target_headers

        def headers_with_port(*arguments: Any) -> dict[str, str]:
            # As its visitor came: on the sandbox's port, without TLS.
            came = {"x-forwarded-port": str(self._port), "x-forwarded-proto": "http"}
            return {**target_headers(*arguments), **came}

        async def proxy_to_process(target: dict[str, Any], group: dict[str, Any], *rest: Any) -> Any:
            address = str(target["Id"])
            with self._lock:
                self._busy[address] += 1
            try:
                found = self._resolve(address, int(target.get("Port") or group.get("Port") or 80))
                real = {"Id": found[0], "Port": found[1]} if found else target
                status, headers, body = await proxy(real, group, *rest)
            except BaseException:
                self._release(address)
                raise
            if isinstance(body, StreamingResponse):
                return status, headers, StreamingResponse(self._counted(address, body.runner))
            self._release(address)
            return status, headers, body

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


def _host(scope: dict[str, Any]) -> str:
    for name, value in scope.get("headers", []):
        if name.lower() == b"host":
            return str(value.decode("latin-1").lower())
    return ""
