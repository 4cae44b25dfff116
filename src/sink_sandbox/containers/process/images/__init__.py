"""Images without a Docker Engine: a Dockerfile interpreted, layers as folders, an OCI layout on disk."""
