"""The ``docker`` on a build's PATH: a shim before the real command, or one that needs no engine."""
