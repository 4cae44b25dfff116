"""The verbs: bootstrap, deploy, status, publish. They plan, apply and watch, yield events and print nothing."""
