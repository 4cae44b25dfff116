"""The code of this service; `main` puts it together."""
