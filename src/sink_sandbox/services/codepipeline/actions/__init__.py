"""Runs the actions of pipelines, as a client of the sandbox's own endpoint.

Each module runs the actions of one provider; ``providers`` chooses. What they do goes through
boto3, so an action sees the same services, with the same refusals, as any other client.
"""
