"""The service: its routes, put together. `uvicorn <package>.main:app` serves it."""

from fastapi import FastAPI

from . import notes
from .errors import answer_invalid_input
from .logs import RequestLog, configure_logging
from .middleware import BodyLimit, HeadAsGet
from .release import Release, read_release
from .settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service; settings come from the environment and .env unless they are given."""
    settings = settings or Settings()
    release = read_release()
    configure_logging(settings.log_level)

    app = FastAPI(title=release.app, version=release.commit)
    app.state.notes = notes.NoteStore(limit=settings.notes_limit)
    app.include_router(notes.router)
    answer_invalid_input(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestLog)

    @app.get("/", include_in_schema=False)
    async def index() -> dict[str, object]:
        """Say who answers, and where to go on."""
        links = {"health": "/health", "version": "/version", "notes": "/notes", "docs": "/docs"}
        return {"app": release.app, "commit": release.commit, "links": links}

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answer the load balancer: this task can take requests."""
        return {"status": "ok"}

    @app.get("/version")
    async def version() -> Release:
        """Name the release that answers."""
        return release

    return app


app = create_app()
