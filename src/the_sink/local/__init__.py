"""The edge to this machine: git, uv, docker and copier as processes; the platform's own types out."""
