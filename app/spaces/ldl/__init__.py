"""LDL, the Lagrange Definition Language: a Space's `deploy.yaml` as values of `k8s.workload`.

LDL is compatible with the Akash SDL 2.0. Parsing and validation of the file live here and are pure:
no clock, no randomness, no I/O but the files that `config` mounts. Text that Kubernetes would
expand (`$(NAME)`) is escaped here, so `command`, `args` and `env` reach the container as the tenant
wrote them.
"""

from app.spaces.ldl.diagnostics import InvalidDeployment, Problem
from app.spaces.ldl.parse import Deployment, read
from app.spaces.ldl.yaml_parser import MAX_BYTES

__all__ = ["MAX_BYTES", "Deployment", "InvalidDeployment", "Problem", "read"]
