"""The service: its routes, put together. `gunicorn <package>.main:app` serves it."""

from dataclasses import asdict

from flask import Flask

from . import notes
from .database import check_database, make_engine
from .errors import answer_errors_as_json
from .limits import limit_bodies
from .logs import configure_logging, log_requests
from .release import read_release
from .settings import Settings
from .store import NoteStore


def create_app(settings: Settings | None = None) -> Flask:
    """Return the service; settings come from the environment and .env unless they are given."""
    settings = settings or Settings()
    release = read_release()
    configure_logging(settings.log_level)

    app = Flask(__name__, static_folder=None)
    # Keys in the order in which the code names them, as everywhere else.
    app.json.sort_keys = False
    engine = make_engine(settings)
    app.extensions["database"] = engine
    app.extensions["notes"] = NoteStore(engine, limit=settings.notes_limit)
    app.register_blueprint(notes.blueprint)
    log_requests(app)
    limit_bodies(app, settings.max_body_bytes)
    answer_errors_as_json(app)

    @app.get("/")
    def index() -> dict[str, object]:
        """Say who answers, and where to go on."""
        links = {"health": "/health", "version": "/version", "notes": "/notes"}
        return {"app": release.app, "commit": release.commit, "links": links}

    @app.get("/health")
    def health() -> dict[str, str]:
        """Answer the load balancer: this task can take requests, and its database answers."""
        check_database(settings)
        return {"status": "ok"}

    @app.get("/version")
    def version() -> dict[str, str]:
        """Name the release that answers."""
        return asdict(release)

    return app


app = create_app()
