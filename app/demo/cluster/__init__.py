"""A small Kubernetes API server that only pretends to run pods, for trials without a cluster.

It serves the part of the API that this project uses over real HTTP, so that the same client, apply
and watch run against it, and behaves as a real API server does where they rely on it. One node, one
process, nothing is kept when it ends; `python -m app.demo.cluster` runs it.
"""

from app.demo.cluster.api import create
from app.demo.cluster.server import command, serve

__all__ = ["command", "create", "serve"]
