"""The sandbox's databases: a real PostgreSQL server for each RDS instance, on this machine."""

from sink_sandbox.services.rds.servers import DatabaseServers

__all__ = ["DatabaseServers"]
