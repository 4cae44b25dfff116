"""Compute with a Docker Engine: images are built by it, tasks are its containers.

A build of the sandbox meets it as ``docker`` on its PATH (:mod:`.command`, which leads the registry's names
to the sandbox and hands on to the real command), ECS as the client that it takes for docker-py's
(:class:`.engine.DockerEngine`). ``compute`` is the same without an engine.
"""
