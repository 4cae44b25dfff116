"""The verbs: bootstrap, deploy, status, publish. They plan, apply, watch and yield events."""
