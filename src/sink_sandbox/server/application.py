"""The server process: ministack's application, extended, served on loopback only.

Holds ``server.lock`` in the state folder while it lives (that is how clients know), and has the state saved
soon after each request that may have changed it. Which requests there are, and what each must show, is in
:mod:`sink_sandbox.server.routes`.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import socket
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from sink_sandbox import emulator
from sink_sandbox.authentication.guard import Asks, Guard
from sink_sandbox.authentication.refusal import send_refusal, without_cors
from sink_sandbox.authentication.secret import ROOT_KEY, provide_secret
from sink_sandbox.authentication.signature import Refused
from sink_sandbox.client import lifecycle
from sink_sandbox.client.ports import next_free
from sink_sandbox.client.process import HOST, make_private, open_private
from sink_sandbox.containers.addresses import HOST_NAME
from sink_sandbox.errors import SandboxUnavailable
from sink_sandbox.patches import Patcher
from sink_sandbox.server.composition import Services
from sink_sandbox.server.routes import find_route
from sink_sandbox.server.saver import Saver, write_atomically


def serve(name: str, port: int, engine: str = "", reason: str = "", starting: int | None = None) -> None:
    """Serve the sandbox ``name`` until SIGTERM or SIGINT.

    Args:
        name: The sandbox's.
        port: Where it answers.
        engine: The Docker Engine that plays containers, as JSON; "" plays them by processes.
        reason: Why it is that way, for whoever asks.
        starting: The descriptor of a locked file that tells others to wait; closed once it can be found.

    Raises:
        SandboxUnavailable: another process serves it, the port is taken, its state cannot be read, or the
            engine refuses.
    """
    if starting is not None:
        os.set_inheritable(starting, False)  # nothing that it starts may hold the lock beyond that
    home = lifecycle.state_dir(name)
    make_private(home)
    _hold_lock(home, name)
    _close_to_others(home)
    listener = _listen(name, port)
    # AWS clients in this process must never find somebody's profile.
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    emulator.configure(home, port)
    secret = provide_secret(home)
    _check_state(emulator.services_dir(home))

    from sink_sandbox.containers.choice import make_compute

    compute = make_compute(home, f"http://{HOST}:{port}", port, engine)
    listeners = [listener, *_listen_beside(compute.gateway, port)]

    from hypercorn.asyncio import serve as serve_asgi
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{each.fileno()}" for each in listeners]
    config.keep_alive_timeout = 75
    config.accesslog = None
    config.loglevel = "WARNING"
    application = Application(name, home, port, compute, reason, starting, secret)

    async def run() -> None:
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)

        async def ended() -> None:
            await ending.wait()
            # While requests are still answered: what is at work must end as interrupted, not as failed.
            await asyncio.to_thread(application.end_work)

        await serve_asgi(application, config, shutdown_trigger=ended)

    try:
        asyncio.run(run())
    finally:
        (home / "sandbox.json").unlink(missing_ok=True)


class Application:
    """The ASGI application: our routes and the life of the whole around ministack's."""

    def __init__(
        self,
        name: str,
        home: Path,
        port: int,
        compute: Any,
        reason: str,
        starting: int | None,
        secret: str,
    ) -> None:
        from sink_sandbox.services.iam.patch import credentials

        keys = credentials.Keys(secret)
        self._patcher = Patcher()
        self._patcher.apply("iam/credentials", keys.install)
        # What follows imports the emulator's services.
        from sink_sandbox.emulator import application
        from sink_sandbox.services.ecs.patch import task_metadata

        self._patcher.apply("emulator/saving", application.save_alone)
        self._emulated = application
        self._name = name
        self._home = home
        self._port = port
        self._endpoint_url = f"http://{HOST}:{port}"
        self._compute = compute
        self._reason = reason
        self._starting = starting
        self._services = Services(home, self._endpoint_url, port, compute, secret, self._patcher)
        names = {HOST_NAME, compute.gateway} - {""}
        self._guard = Guard(port, names, ROOT_KEY, keys.find_secret)
        self._is_task_path = task_metadata.is_of_task
        self._saver = Saver(self._snapshot, Path(application.state_dir()))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection, as the ASGI specification says."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._services.balancers.serves(scope):
            await self._services.balancers.handle(scope, receive, send)
        elif scope["type"] == "http":
            await self._route(scope, receive, without_cors(send))
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _route(self, scope: Any, receive: Any, send: Any) -> None:
        route = find_route(scope["path"])
        try:
            self._guard.check_origin(scope, route.asks)
            receive = await self._guard.admit(scope, receive, route.asks)
            if route.is_closed:
                raise Refused("AccessDenied", f"The sandbox has no {scope['path']}.")
            if route.asks is Asks.TASK and not self._is_task_path(scope["method"], scope["path"]):
                raise Refused("AccessDenied", "No task was given this address.")
        except Refused as refused:
            await send_refusal(scope, send, refused, route.asks)
            return
        if route.asks is Asks.ROOT:
            await self._answer(scope, send)
            return
        # Reads may change state too (stacks and services settle in the background), and an
        # unchanged service is not written again, so every request counts.
        with self._saver.change():
            if self._services.registry.serves(scope):
                await self._services.registry.handle(scope, receive, send)
            else:
                await self._emulated.application(scope, receive, send)

    def end_work(self) -> None:
        """End executions, builds and tasks; the first step of an orderly stop."""
        self._services.stop()

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        async def receive_and_stop() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self._stop)
            return message

        async def start_and_send(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                await asyncio.to_thread(self._start)
            await send(message)

        await self._emulated.application(scope, receive_and_stop, start_and_send)

    def _start(self) -> None:
        self._services.start(Path(self._emulated.state_dir()))
        self._saver.start()
        entry = {
            "pid": os.getpid(),
            "port": self._port,
            "endpoint_url": self._endpoint_url,
            "compute": self._compute.kind,
            "reason": self._reason,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": version("the-sink"),
            "package": str(Path(__file__).parents[1]),
        }
        write_atomically(self._home / "compute", self._compute.kind.encode())
        write_atomically(self._home / "port", str(self._port).encode())
        write_atomically(self._home / "sandbox.json", json.dumps(entry).encode())
        if self._starting is not None:
            os.close(self._starting)

    def _stop(self) -> None:
        self._saver.stop()

    def _snapshot(self) -> dict[str, bytes]:
        return {**self._emulated.snapshot(), **self._services.snapshot()}

    async def _answer(self, scope: Any, send: Any) -> None:
        route = (scope["method"], scope["path"])
        if route == ("GET", "/_sandbox/status"):
            await _send_json(send, 200, self._status())
        elif route == ("GET", "/_sandbox/access"):
            await _send_json(send, 200, {"access": self._services.accesses.as_data()})
        elif route == ("GET", "/_sandbox/patches"):
            await _send_json(send, 200, {"patches": self._patcher.as_data()})
        elif route == ("POST", "/_sandbox/reset"):
            await asyncio.to_thread(self._reset)
            await _send_json(send, 200, {"reset": True})
        else:
            await _send_json(send, 404, {"message": f"The sandbox has no {scope['method']} {scope['path']}."})

    def _status(self) -> dict[str, Any]:
        return {
            "sandbox": self._name,
            "version": version("the-sink"),
            "emulator": f"ministack {self._emulated.version()}",
            "pid": os.getpid(),
            "endpoint_url": self._endpoint_url,
            "compute": self._compute.kind,
            "reason": self._reason,
            "engine": self._compute.describe(),
            "saved": self._saver.is_settled,
            "verification": self._guard.cost(),
            "simulated": self._services.simulated(),
        }

    def _reset(self) -> None:
        with self._saver.paused():
            self._services.stop_work()
            self._emulated.reset()
            self._services.end_tasks()
            self._compute.forget_images()


_locks: list[IO[bytes]] = []
"""Held until the process has ended: whoever sees the lock free may rely on that."""


def _hold_lock(home: Path, name: str) -> None:
    handle = open(home / "server.lock", "wb", opener=open_private)  # noqa: SIM115 - held until the process ends
    for _ in range(40):  # a client that looks whether it is held holds it for a moment
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            _locks.append(handle)
            return
    handle.close()
    raise SandboxUnavailable(f"The sandbox {name!r} is already running.", "invoke sandbox.status")


def _close_to_others(home: Path) -> None:
    """Close what an earlier version left open; whatever is deeper down is reached through these folders."""
    home.chmod(0o700)
    for entry in (*home.iterdir(), *emulator.services_dir(home).glob("*.json")):
        if not entry.is_symlink():
            entry.chmod(0o700 if entry.is_dir() else 0o600)
    for folder in (emulator.services_dir(home), home / "s3"):
        folder.mkdir(exist_ok=True, mode=0o700)


def _check_state(folder: Path) -> None:
    """A service whose file cannot be read would begin empty, and the next save would make that last."""
    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_bytes())
        except ValueError as error:
            raise SandboxUnavailable(
                f"Its state in {file} is damaged ({error}). Nothing of it was touched; "
                "`invoke sandbox.reset` empties the sandbox."
            ) from error


def _listen(name: str, port: int) -> socket.socket:
    """Take the port before the slow imports, so that a taken one is said at once."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)  # who comes before the emulator is loaded waits instead of being refused
    except OSError as error:
        listener.close()
        raise SandboxUnavailable(
            f"The sandbox {name!r} cannot start: port {port} is taken.",
            f"Choose another: invoke sandbox.start --port {next_free(port)}",
        ) from error
    return listener


def _listen_beside(address: str, port: int) -> list[socket.socket]:
    """Listen on the containers' network too, where there is one, so that tasks reach the sandbox's AWS."""
    if not address:
        return []
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except OSError:
        # Whose engine keeps its networks to itself (rootless): tasks run, and call no AWS.
        listener.close()
        return []
    return [listener]


async def _send_json(send: Any, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
