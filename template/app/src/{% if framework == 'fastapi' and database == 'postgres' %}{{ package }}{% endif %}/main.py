"""The service: its routes, put together. `uvicorn <package>.main:app` serves it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from . import notes
from .database import NOT_ANSWERING, check_database, make_engine
from .errors import answer_invalid_input
from .logs import RequestLog, configure_logging
from .middleware import BodyLimit, HeadAsGet
from .release import Release, read_release
from .settings import Settings
from .store import NoteStore

logger = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service; settings come from the environment and .env unless they are given."""
    settings = settings or Settings()
    release = read_release()
    configure_logging(settings.log_level)

    engine = make_engine(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(title=release.app, version=release.commit, lifespan=lifespan)
    app.state.notes = NoteStore(engine, limit=settings.notes_limit)
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

    # Routes that wait for the database are plain functions: FastAPI runs those in its threads. This one
    # takes a thread apart from them, so that requests that wait cannot keep it waiting.
    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answer the load balancer: this task can take requests, and its database answers."""
        await asyncio.to_thread(check_database, settings)
        return {"status": "ok"}

    @app.get("/version")
    async def version() -> Release:
        """Name the release that answers."""
        return release

    async def answer_without_database(_request: Request, error: Exception) -> JSONResponse:
        # The reason names host and user: it is for the log, not for callers.
        logger.error("the database does not answer: %s", error)
        return JSONResponse({"detail": "The database does not answer."}, 503)

    for kind in NOT_ANSWERING:
        app.add_exception_handler(kind, answer_without_database)

    return app


app = create_app()
