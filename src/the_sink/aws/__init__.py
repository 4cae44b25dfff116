"""The edge to AWS: one module a service, only the calls used; clients in, the platform's own types out."""
