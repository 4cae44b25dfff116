"""Containers, in two ways: by a Docker Engine (``docker``) or by processes of this machine (``process``)."""
