"""LDL, the Lagrange Definition Language: a Space's `deploy.yaml` as values of `k8s.workload`.

LDL is compatible with the Akash SDL 2.0. Everything here is pure: no I/O, no clock, no randomness.
Text that Kubernetes would expand (`$(NAME)`) is escaped already: `command`, `args` and `env` of the
values reach the container as the tenant wrote them.
"""

from app.spaces.ldl.diagnostics import InvalidDeployment, Problem
from app.spaces.ldl.parse import Deployment, read

__all__ = ["Deployment", "InvalidDeployment", "Problem", "read"]
