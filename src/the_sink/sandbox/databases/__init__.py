"""The sandbox's databases: a real PostgreSQL server for each RDS instance, on this machine."""

from the_sink.sandbox.databases.servers import DatabaseServers

__all__ = ["DatabaseServers"]
