"""The edge to AWS: the ``aws`` command line, which answers in JSON."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sink_build.errors import CommandFailed
from sink_build.programs import ask

_REFUSAL = re.compile(
    r"An error occurred \((?P<code>[^)]+)\) when calling the (?P<operation>\w+) operation.*"
)
"""What ``aws`` says of an error that a service answered."""


class Refused(CommandFailed):
    """AWS refused a call; ``code`` is the service's error code, "" where ``aws`` named none."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message if message.endswith(".") else f"{message}.")
        self.code = code


class Aws:
    """Calls of one region, under the credentials of the build or the action.

    Args:
        region: Where everything is.
        environ: The variables that ``aws`` finds its credentials by.
    """

    def __init__(self, region: str, environ: Mapping[str, str]) -> None:
        self.region = region
        self._environ = environ

    def call(self, *words: str) -> Any:
        """Return the answer of one call, for example ``call("ecr", "batch-get-image", …)``; None for none.

        The answer may hold a secret; it is in no error.

        Raises:
            Refused: AWS did not do it.
        """
        text = self.text(*words, "--output", "json")
        return json.loads(text) if text.strip() else None

    def text(self, *words: str) -> str:
        """Return what a call prints, in the form that its own ``--output`` names.

        Raises:
            Refused: AWS did not do it.
        """
        answer = ask(["aws", *words, "--region", self.region], self._environ)
        if answer.code == 0:
            return answer.out
        found = _REFUSAL.search(answer.err)
        if found is not None:
            raise Refused(found[0].strip(), found["code"])
        said = answer.err.strip().splitlines()
        raise Refused(said[-1] if said else f"aws {' '.join(words[:2])} ended with {answer.code}.", "")

    def keys(self, bucket: str, prefix: str) -> tuple[str, ...]:
        """Return the keys in a bucket that begin with a prefix, all pages of them.

        Raises:
            Refused: the role may not list them.
        """
        query = "Contents[].Key"
        found = self.call(
            *("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix, "--query", query)
        )
        return tuple(found or ())

    def read(self, bucket: str, key: str) -> bytes:
        """Return an object's content.

        Raises:
            Refused: there is no such object, or the role may not read it.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "object"
            self.call("s3api", "get-object", "--bucket", bucket, "--key", key, str(file))
            return file.read_bytes()
