"""The ``jq`` of builds on a machine without one: CodeBuild's images have it, and buildspecs count on it.

The language is jq's own, as a library; of the command line only what reads JSON and writes lines is here,
and every other option is refused: https://jqlang.org/manual/#invoking-jq
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from pathlib import Path

from sink_sandbox.containers.locks import write_atomically


def install_jq_command(state_dir: Path) -> Path | None:
    """Return a folder with a ``jq`` for a build's PATH, made anew; None where the machine has one."""
    if shutil.which("jq"):
        return None
    folder = state_dir / "jq" / "bin"
    script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -m {__name__} "$@"\n'
    write_atomically(folder / "jq", script.encode(), mode=0o755)
    return folder


def main(words: list[str]) -> int:
    """Run one command and return jq's exit code: 2 for usage and input, 3 for a filter, 5 for its failure."""
    parser = argparse.ArgumentParser("jq", description="The sandbox's jq.", allow_abbrev=False)
    parser.add_argument("-r", "--raw-output", action="store_true", help="write strings without quotes")
    parser.add_argument("-c", "--compact-output", action="store_true", help="one line for each result")
    parser.add_argument("--arg", action="append", nargs=2, default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("filter")
    parser.add_argument("file", nargs="*", type=Path)
    asked = parser.parse_args(words)
    import jq

    try:
        program = jq.compile(asked.filter, args=dict(asked.arg))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 3
    try:
        text = "\n".join(file.read_text(encoding="utf-8") for file in asked.file)
    except (OSError, UnicodeDecodeError) as error:
        print(f"jq: error: Could not read: {error}", file=sys.stderr)
        return 2
    try:
        for result in program.input_text(text if asked.file else sys.stdin.read()):
            is_bare = asked.raw_output and isinstance(result, str)
            indent = None if asked.compact_output else 2
            separators = (",", ":") if asked.compact_output else None
            shown = json.dumps(result, indent=indent, separators=separators, ensure_ascii=False)
            print(result if is_bare else shown)
    except ValueError as error:
        print(f"jq: error: {error}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
