"""Why something failed: from an execution down to the command, resource or task, in words."""
