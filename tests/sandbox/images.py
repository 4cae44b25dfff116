"""A tiny image pushed straight to the sandbox's registry: an HTTP server under the runtime's contract."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import io
import json
import tarfile
from collections.abc import Mapping, Sequence

from sink_sandbox.authentication.registry_token import make_token
from sink_sandbox.client import lifecycle
from sink_sandbox.client.lifecycle import Sandbox
from the_sink.resources import resource_path

# Answers /health with the status in BEHAVIOUR ("dies": it exits at once), everything else with VERSION;
# /write and /read share a file through the file system at /mnt/shared.
SERVER = """\
import http.server, os, pathlib, signal, sys, time

shared = pathlib.Path(os.environ["SINK_ROOT"], "mnt/shared")
behaviour = os.environ.get("BEHAVIOUR", "200")
print("starting", os.environ["VERSION"], flush=True)
if behaviour == "dies":
    print("cannot start: no database", flush=True)
    sys.exit(3)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(1.5)
        if self.path == "/write":
            (shared / "visits").write_text(os.environ["VERSION"])
        status = int(behaviour) if self.path == "/health" else 200
        body = f"{os.environ['VERSION']} {self.headers.get('Host')}".encode()
        if self.path == "/read":
            body = (shared / "visits").read_bytes()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)

def leave(*_):
    print("stopping", flush=True)
    import threading
    threading.Thread(target=server.shutdown).start()

signal.signal(signal.SIGTERM, leave)
server.serve_forever()
server.server_close()
"""


def push_image(
    sandbox: Sandbox,
    repository: str,
    tag: str,
    *,
    version: str = "1",
    behaviour: str = "200",
    files: Mapping[str, str] | None = None,
    entrypoint: Sequence[str] = ("python3", "/app/serve.py"),
    environment: Sequence[str] = (),
) -> str:
    """Push an image whose server says ``version``, or one of other files; returns its digest."""
    layer = _layer(dict(files or {"app/serve.py": SERVER}))
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": list(entrypoint),
                "Env": [f"VERSION={version}", f"BEHAVIOUR={behaviour}", *environment],
                "WorkingDir": "/app",
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(layer))]},
        }
    ).encode()
    for blob in (layer, config):
        path = f"/v2/{repository}/blobs/uploads/?digest={_digest(blob)}"
        _call("POST", sandbox, path, blob, "application/octet-stream")
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": _digest(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": _digest(layer),
                    "size": len(layer),
                }
            ],
        }
    ).encode()
    kind = "application/vnd.oci.image.manifest.v1+json"
    _call("PUT", sandbox, f"/v2/{repository}/manifests/{tag}", manifest, kind)
    return _digest(manifest)


CONTAINER_INIT = ("python3", "/opt/the-sink/container-init")
"""The entry point of an image with the files below."""


def runtime_files() -> dict[str, str]:
    """Return the files of an image that begin it, as the platform's own runtime image has them."""
    source = resource_path("runtimes/python")
    files = {"opt/the-sink/container-init": (source / "container-init").read_text()}
    for path in (source / "sink_runtime").rglob("*.py"):
        files[f"opt/the-sink/{path.relative_to(source)}"] = path.read_text()
    return files


def _layer(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def sign_in(sandbox: Sandbox) -> dict[str, str]:
    """Return the header by which root's token signs a request to the registry."""
    token = make_token(sandbox.secret, lifecycle.ACCOUNT_ID)
    return {"Authorization": "Basic " + base64.b64encode(f"AWS:{token}".encode()).decode()}


def _call(method: str, sandbox: Sandbox, path: str, body: bytes, kind: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    connection.request(method, path, body, {"Content-Type": kind, **sign_in(sandbox)})
    assert connection.getresponse().status < 300
    connection.close()
