"""The database: where it is, how long anything about it may take, and whether it answers."""

import psycopg
from sqlalchemy import URL, Engine, MetaData, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase

from .settings import Settings

NOT_ANSWERING = (OperationalError, PoolTimeoutError, psycopg.OperationalError)
"""What is raised where the database cannot be reached, or takes too long."""

CONNECT_TIMEOUT_S = 2
"""psycopg takes no less. The load balancer gives /health five seconds."""


class Base(DeclarativeBase):
    """What every table's class inherits; migrations/env.py compares the migrations with them all."""

    # Constraints with names of ours: a migration can only change what it can name.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def database_url(settings: Settings) -> URL:
    """Return the address, made of its parts: a password may hold any character."""
    return URL.create(
        "postgresql+psycopg",
        username=settings.pguser,
        password=settings.pgpassword.get_secret_value(),
        host=settings.pghost,
        port=settings.pgport,
        database=settings.pgdatabase,
    )


def make_engine(settings: Settings) -> Engine:
    """Return the pool of connections; none is opened before the first request that needs one."""
    return create_engine(
        database_url(settings),
        # At most ten for each process: a db.t4g.micro takes about eighty in all, and while a new
        # release rolls out, the old one's connections are open too. That is fewer than there are threads
        # for requests, and who gets none in time is answered 503: so some threads stay free.
        pool_size=5,
        max_overflow=5,
        pool_timeout=1,
        # A connection that the database or the network has closed is noticed before it is used.
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            # Milliseconds until a peer that has gone away without a word counts as gone.
            "tcp_user_timeout": 5000,
            # No request waits longer for one statement. A migration has no such limit.
            "options": "-c statement_timeout=10s",
        },
    )


def check_database(settings: Settings) -> None:
    """See that the database lets somebody in, within CONNECT_TIMEOUT_S; raises one of NOT_ANSWERING.

    With a connection of its own, because only the beginning of a connection has a time limit that this
    process keeps: a server that has stopped answering would hold a statement for ever. It needs none of
    the pool's either: /health answers while slow statements hold all of those.
    """
    # The trade-off: while the database is away, ECS replaces tasks that have no fault. In return, a
    # release that cannot reach its database never takes over, and the deploy says so.
    psycopg.connect(
        host=settings.pghost,
        port=settings.pgport,
        dbname=settings.pgdatabase,
        user=settings.pguser,
        password=settings.pgpassword.get_secret_value(),
        connect_timeout=CONNECT_TIMEOUT_S,
    ).close()
