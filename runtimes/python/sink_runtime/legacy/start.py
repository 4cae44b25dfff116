"""container-init for an app of the legacy platform.

    1. its .env becomes the environment, for whoever does not read the file: app-boot, other programs
    2. app-boot, to its end and in one task at a time; what it exports lasts
    3. the service, and beside it supervisor where the app has programs for it

app-boot and the service run as smartlabuser; supervisor and its programs as whoever the image's last USER
is, which is root in such apps' Dockerfiles.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import sink_runtime
from sink_runtime.children import Children
from sink_runtime.concurrency import choose_concurrency
from sink_runtime.layout import DEFAULTS, Refusal, say
from sink_runtime.legacy.front import CLIENT_VARIABLE
from sink_runtime.legacy.install import optimized
from sink_runtime.legacy.layout import LegacyApp
from sink_runtime.legacy.supervisor import read_programs, write_configuration
from sink_runtime.legacy.user import Service, become, find_service_user
from sink_runtime.turns import taking_turns
from sink_runtime.watch import leave_watching, watching

# Sourced, as on that platform, so that the shell's exports can be told afterwards.
_BOOT = """\
. "$1"
exec "$2" -I -c 'import json, os, sys; os.write(int(sys.argv[1]), json.dumps(dict(os.environ)).encode())' "$3"
"""

_NO_DOTENV = 3
_READ = f"""\
import json, sys
try:
    from dotenv import dotenv_values
except ModuleNotFoundError:
    sys.exit({_NO_DOTENV})
try:
    found = dotenv_values(sys.argv[1])
except (OSError, UnicodeDecodeError) as error:
    sys.exit(str(error))
print(json.dumps({{name: value for name, value in found.items() if value is not None}}))
"""

# Where the app has no gunicorn.conf.py that says otherwise. Threads, so that a slow answer does not keep
# the load balancer's check waiting; idle connections outlive the load balancer's own 60 seconds
# (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html).
_GUNICORN = ["--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "20", "--keep-alive", "75"]
_GUNICORN += ["--access-logfile", "-"]


def start(app: LegacyApp) -> int:
    """Boot and serve; returns the exit code only where supervisor runs beside the service."""
    gunicorn = app.venv / "bin" / "gunicorn"
    if not gunicorn.exists():
        raise Refusal(f"{gunicorn} is missing: RUN app-init first.")
    user = find_service_user()
    environment = make_environment(app, os.environ)
    programs = read_programs(app)
    with Children() as children:
        if app.app_boot.is_file():
            code, environment = _boot(app, children, environment, user)
            if code or children.received:
                code = code or 128 + children.received
                say(f"app-boot ended with exit code {code}; the service is not started.")
                return code
        web = [str(gunicorn), *_gunicorn_arguments(app, environment)]
        say(f"web: gunicorn, for {environment['FLASK_APP']}")
        if programs is None:
            leave_watching(environment)
            become(web, app.server, environment, user)
        say(f"supervisor: {', '.join(programs.sections())}")
        # Not below the folder that stands for a root: the path of a socket has room for some 100 characters.
        with tempfile.TemporaryDirectory(prefix="sink-", ignore_cleanup_errors=True) as folder:
            supervisord = [str(app.venv / "bin" / "supervisord"), "--configuration"]
            supervisord.append(str(write_configuration(programs, Path(folder))))
            own = user.environment(environment)
            serving = children.start(web, app.server, own, uid=user.uid, gid=user.gid)
            beside = children.start(supervisord, app.server, environment)
            with watching(serving.pid, environment):
                first = children.wait_together([serving, beside])
        if children.received:
            return children.wait(serving)
        code = children.wait(first)
        name = "web" if first is serving else "supervisor"
        say(f"{name} ended with exit code {code}, and the task with it.")
        return code


def make_environment(app: LegacyApp, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of what is started; what the container's own says wins over .env."""
    found = optimized({**DEFAULTS, **_read_env_file(app), **environ})
    found |= choose_concurrency(found)
    found.setdefault("FLASK_APP", "api")
    found["VIRTUAL_ENV"] = str(app.venv)
    found["PATH"] = os.pathsep.join([str(app.venv / "bin"), found.get("PATH", os.defpath)])
    runtime = str(Path(sink_runtime.__file__).parent.parent)
    found["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(app.sources), found.get("PYTHONPATH", ""), runtime])
    )
    found[CLIENT_VARIABLE] = str(app.client)
    return found


def _read_env_file(app: LegacyApp) -> dict[str, str]:
    """Return the values of .env as the app's own python-dotenv reads them: its versions differ in that.

    Nobody quoted them, so a value with quotes, ``#``, ``${`` or a line end may not be what the secret holds.
    """
    path = app.server / ".env"
    if not path.exists():
        return {}
    python = str(app.venv / "bin" / "python")
    done = subprocess.run([python, "-c", _READ, str(path)], check=False, stdout=subprocess.PIPE)
    if done.returncode == _NO_DOTENV:
        return {}  # how the app reads it is the app's secret
    if done.returncode:
        raise Refusal(f"{path} cannot be read; the reason is above.")
    return {name: value for name, value in json.loads(done.stdout).items() if "\0" not in value}


def _boot(
    app: LegacyApp, children: Children, environment: dict[str, str], user: Service
) -> tuple[int, dict[str, str]]:
    """Run app-boot; return its exit code and the environment that it leaves."""
    bash = shutil.which("bash", path=environment["PATH"])
    if bash is None:
        raise Refusal(f"{app.app_boot} is a script for bash, and there is none.")
    with taking_turns(app.shared, "app-boot"), tempfile.TemporaryFile() as told:
        say(f"app-boot: {app.app_boot}")
        words = [bash, "-c", _BOOT, "app-boot", str(app.app_boot), sys.executable, str(told.fileno())]
        child = children.start(
            words,
            app.server,
            user.environment(environment),
            whole_group=True,
            pass_fds=[told.fileno()],
            uid=user.uid,
            gid=user.gid,
        )
        code = children.wait(child)
        told.seek(0)
        text = told.read()
    # A script that ends in `exit 0` tells nothing.
    left = json.loads(text) if text and not code else environment
    return code, {name: value for name, value in left.items() if name not in {"HOME", "USER", "_", "SHLVL"}}


def _gunicorn_arguments(app: LegacyApp, environment: Mapping[str, str]) -> list[str]:
    name = environment["FLASK_APP"]
    if not name.isidentifier():
        raise Refusal(f"FLASK_APP is {name!r}; it must name the package in {app.sources}, such as api.")
    bind = f"{environment['HOST']}:{environment['PORT']}"
    own = [] if (app.server / "gunicorn.conf.py").is_file() else _GUNICORN
    return ["--bind", bind, *own, "sink_runtime.legacy.front:make_application()"]
