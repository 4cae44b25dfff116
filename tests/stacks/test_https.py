"""HTTPS: what a listener speaks, and that plain HTTP is sent there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1"


def test_nothing_older_than_tls_1_2_is_spoken_and_every_cipher_has_forward_secrecy(
    stack: Callable[..., Any],
) -> None:
    """TLS13-1-2 is 1.3 and 1.2; Ext policies bring older ciphers back
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html)."""
    listeners = [
        each["Properties"]
        for each in stack("python", UniqueDomainNameCertificateArn=CERTIFICATE).resources.values()
        if each["Type"] == "AWS::ElasticLoadBalancingV2::Listener"
    ]
    https = [each for each in listeners if each["Protocol"] == "HTTPS"]

    assert [each["Port"] for each in https] == [443]
    policy = re.compile(r"ELBSecurityPolicy-TLS13-1-[23](-Res)?(-PQ)?-\d{4}-\d{2}")
    assert all(policy.fullmatch(each["SslPolicy"]) for each in https)


def test_plain_http_is_sent_to_https_whatever_the_path(stack: Callable[..., Any]) -> None:
    app = stack("python", UniqueDomainNameCertificateArn=CERTIFICATE, UniqueDomainName="a.example.org")
    rule = app.properties("HttpsRedirect")
    (action,) = rule["Actions"]

    assert rule["ListenerArn"] == "<HttpListener>"
    assert [each["PathPatternConfig"]["Values"] for each in rule["Conditions"]] == [["*"]]
    assert action["Type"] == "redirect"
    assert {k: action["RedirectConfig"][k] for k in ("Protocol", "Port", "Host")} == {
        "Protocol": "HTTPS",
        "Port": "443",
        "Host": "a.example.org",
    }
