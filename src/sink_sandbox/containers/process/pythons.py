"""Which Python an image promises, by its labels and its environment."""

from __future__ import annotations

import re

from sink_sandbox.containers.process.images.store import Image

BASE_LABEL = "the-sink.sandbox.base"
"""Set on an image whose ``FROM`` lies outside the sandbox: that name, for which this machine stands."""

PYTHON_LABEL = "the-sink.sandbox.python"
"""Set beside it: the ``3.13`` that the base's tag promises."""


def wanted_version(image: Image) -> str:
    """Return the minor version that an image's Python has, such as ``3.13``, or "" if it does not say."""
    environment = image.environment
    for text in (image.labels.get(PYTHON_LABEL), environment.get("PYTHON_VERSION"),
                 environment.get("RUNTIME_VERSION")):  # fmt: skip
        if match := re.match(r"\d+\.\d+", text or ""):
            return match[0]
    return ""
