"""This machine, for the platform and the sandbox alike: processes, Docker Engine, PostgreSQL, uv, Pythons."""
