"""The server process: what it is composed of, its own routes, and its state on disk."""
