"""The supervisor programs of an app of the legacy platform, for supervisor itself to run.

Its configuration is made anew at each start, of the sections of the app's ``*.ini``: what they leave out
is completed so that the programs' lines reach the task's log, and paths of the image become those of the
folder that stands for it. http://supervisord.org/configuration.html
"""

from __future__ import annotations

import configparser
import os
import shlex
from pathlib import Path

from sink_runtime.layout import Refusal, say
from sink_runtime.legacy.layout import LegacyApp

_TAKEN = ("program:", "eventlistener:", "fcgi-program:", "group:")


def read_programs(app: LegacyApp) -> configparser.RawConfigParser | None:
    """Return the app's sections, completed; None if there are none.

    Makes a script executable that a program names and that is not: a file loses that on some ways.

    Raises:
        Refusal: an ``*.ini`` is not one.
    """
    found = _parser()
    for file in sorted(app.programs.glob("*.ini")):
        _read(file, found)
    for name in found.sections():
        _complete(found[name], app)
    return found if found.sections() else None


def write_configuration(programs: configparser.RawConfigParser, folder: Path) -> Path:
    """Write supervisor's configuration into a folder, where its socket will be too; return the file."""
    target = folder / "supervisord.conf"
    with target.open("w", encoding="utf-8") as stream:
        stream.write(_general(folder))
        programs.write(stream)
    return target


def _parser() -> configparser.RawConfigParser:
    """A parser that reads what supervisor's own reads."""
    return configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))


def _read(file: Path, into: configparser.RawConfigParser) -> None:
    own = _parser()
    try:
        own.read_string(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise Refusal(f"{file} cannot be read: {str(error).splitlines()[0]}.") from None
    for name in own.sections():
        if not name.startswith(_TAKEN):
            say(f"{file.name}: [{name}] is the runtime's to say, and is left out.")
            continue
        into[name] = {
            # Of an included file it is that file's folder.
            key: value.replace("%(here)s", str(file.parent))
            for key, value in own.items(name)
        }


def _complete(section: configparser.SectionProxy, app: LegacyApp) -> None:
    if section.name.startswith("group:"):
        return
    # A listener speaks with supervisor through its standard output.
    streams = ["stderr"] if section.name.startswith("eventlistener:") else ["stdout", "stderr"]
    for descriptor, stream in ((1, "stdout"), (2, "stderr")):
        if stream in streams and f"{stream}_logfile" not in section:
            section[f"{stream}_logfile"] = f"/dev/fd/{descriptor}"
            section[f"{stream}_logfile_maxbytes"] = "0"
    if "directory" in section:
        section["directory"] = app.place(section["directory"])
    if "command" in section:
        section["command"] = _command(section["command"], app)
    if "user" in section and os.geteuid() != 0:
        say(f"{section.name.partition(':')[2]} runs as this user; only root can give it another.")
        del section["user"]


def _command(command: str, app: LegacyApp) -> str:
    try:
        words = [app.place(word) for word in shlex.split(command)]
    except ValueError:
        return command  # supervisor has the words for it
    _make_executable(words[0] if words else "")
    return command if app.is_image else shlex.join(words)


def _make_executable(program: str) -> None:
    file = Path(program)
    try:
        if file.is_absolute() and not os.access(file, os.X_OK) and file.read_bytes()[:2] == b"#!":
            file.chmod(file.stat().st_mode | 0o555)
    except OSError as error:
        say(f"{file} cannot be made executable: {error.strerror}.")


def _general(folder: Path) -> str:
    # As root it asks to be told so. Its own lines go to standard output, because it stays in the foreground.
    user = "user=root\n" if os.geteuid() == 0 else ""
    return f"""\
[supervisord]
nodaemon=true
{user}logfile=/dev/null
logfile_maxbytes=0
pidfile={folder}/supervisord.pid
childlogdir={folder}

[unix_http_server]
file={folder}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{folder}/supervisor.sock

"""
