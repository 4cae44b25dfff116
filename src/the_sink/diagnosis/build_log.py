"""What a build's log and phases say about the command that failed (pure).

CodeBuild writes lines of its own between those of the commands: it announces each command with its whole
text, and repeats that text when the command has failed
(https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html). After a failure it still
writes the phase's end, ``finally`` commands and later phases, so the cause is seldom among the last lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_OWN = re.compile(r"\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?P<text>.*)")
_CONTINUED = "\\"
_ANNOUNCED = "Running command "
_FAILED = "Command did not exit successfully "
_STATUS = re.compile(r" exit status (\d+)$")
_BOOKKEEPING = (_ANNOUNCED, "Entering phase ", "Phase complete: ", "Phase context status code:  Message:")
_NO_RUNTIME = re.compile(
    r"The platform has no runtime image for Python (?P<version>\d+\.\d+)\b"
    r"(?:.*: invoke runtimes\.publish --runtime (?P=version)(?P<flags>(?: --architecture \w+)?))?"
)
_SINK_BUILD = re.compile(r"sink-build [a-z]+: (?P<sentence>\S.*)")
_MESSAGE = re.compile(r"Error while executing command: (.*?)\. Reason: exit status (\d+)", re.DOTALL)


def find_evidence(lines: Sequence[str], limit: int) -> tuple[str, ...]:
    """Return what the failed command printed, its last lines, as many as ``limit``.

    Of a command that printed nothing, and of a build that failed without one, the last lines before the
    failure that anybody printed.
    """
    end = next(
        (number for number, line in enumerate(lines) if _own_text(line).startswith(_FAILED)), len(lines)
    )
    begin = _find_output(lines, end)
    printed = [line for line in lines[begin:end] if not _is_bookkeeping(line)]
    if not any(line.strip() for line in printed):
        printed = [line for line in lines[:end] if not _is_bookkeeping(line)]
    while printed and not printed[-1].strip():
        printed.pop()
    return tuple(printed[-limit:])


def find_missing_runtime(lines: Sequence[str]) -> tuple[str, str]:
    """Return the Python version whose runtime image the platform lacks, "" if a build did not end for that.

    The sentence is that of ``sink-build login``, and of the buildspecs before it.

    Returns:
        The version, and which processor's image it is, as ``runtimes.publish`` takes it, with its blank; ""
        for the sentence of version 1.0, which does not say.
    """
    found = next((found for line in lines if (found := _NO_RUNTIME.search(line))), None)
    return (found["version"], found["flags"] or "") if found else ("", "")


def find_sink_build_sentence(lines: Sequence[str]) -> str:
    """Return what a command of ``sink-build`` has failed of, "" if the lines end in no such failure.

    It is the program's last line: ``sink-build admit: …``.
    """
    found = _SINK_BUILD.fullmatch(lines[-1]) if lines else None
    return found["sentence"] if found else ""


def shorten_command(command: str) -> str:
    """Return a command's first line, with an ellipsis for what follows."""
    first, *others = command.strip().splitlines() or [""]
    is_cut = bool(others) or first.endswith("…")
    return f"{first.rstrip('… ').removesuffix(_CONTINUED).rstrip()} …" if is_cut else first


def shorten_message(message: str) -> str:
    """Return what CodeBuild says about a failed phase, as one line without a full stop."""
    said = _MESSAGE.sub(
        lambda found: f"`{shorten_command(found[1])}` ended with exit status {found[2]}", message
    )
    return " ".join(said.split()).rstrip(".")


def _own_text(line: str) -> str:
    found = _OWN.fullmatch(line)
    return found["text"] if found else ""


def _is_bookkeeping(line: str) -> bool:
    return _own_text(line).startswith(_BOOKKEEPING)


def _find_output(lines: Sequence[str], end: int) -> int:
    """Return where the output of the command that failed at ``end`` begins."""
    body = _failed_command(lines, end)
    for number in range(end - 1, -1, -1):
        if _own_text(lines[number]).startswith(_ANNOUNCED):
            after = number + 1
            # The announcement's further lines are the command's.
            matches = tuple(lines[after : after + len(body) - 1]) == tuple(body[1:])
            return after + len(body) - 1 if body and matches else after
    return 0


def _failed_command(lines: Sequence[str], end: int) -> list[str]:
    """Return the lines of the command whose failure the log states at ``end``."""
    if end >= len(lines):
        return []
    command = [_own_text(lines[end]).removeprefix(_FAILED)]
    for line in lines[end + 1 :]:
        if _STATUS.search(command[-1]):
            break
        command.append(line)
    command[-1] = _STATUS.sub("", command[-1])
    # CodeBuild ends a block's last line before it goes on.
    return command[:-1] if len(command) > 1 and not command[-1] else command
