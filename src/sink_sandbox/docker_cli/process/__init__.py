"""``docker`` for a machine without a Docker Engine: the commands that builds use, others refused by name."""
