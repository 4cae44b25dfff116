"""The address from which the sandbox's load balancers reach the processes that play tasks.

On AWS a load balancer is never 127.0.0.1 to its targets, and servers treat that address as themselves:
gunicorn and uvicorn take forwarded headers from it by default. Linux answers on all of 127.0.0.0/8, so
another address of it plays the balancer. macOS has 127.0.0.1 alone until somebody adds another one.
"""

from __future__ import annotations

import socket

PEER = "127.0.0.2"


def find_peer(address: str = PEER) -> str:
    """Return ``address`` where connections of this machine may leave from it, else ""."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        try:
            tried.bind((address, 0))
        except OSError:
            return ""
    return address


def notes(peer: str) -> list[str]:
    """Return a sentence where load balancers have to be 127.0.0.1 to their targets."""
    if peer:
        return []
    return [
        "AWS::ElasticLoadBalancingV2::LoadBalancer*: its requests come from 127.0.0.1, which servers trust "
        f"as they trust no load balancer on AWS; `sudo ifconfig lo0 alias {PEER}` before the sandbox starts "
        "gives it an address of its own"
    ]
