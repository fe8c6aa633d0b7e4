"""`computing-provider demo`: one job from its webhook to its end, shown as it happens.

Real processes, a real Redis, a stand-in for Lagrange that speaks its protocol, and a cluster,
simulated or real: all of it is made for the demonstration and removed after it. Nothing but the
command line imports this package.
"""

from app.demo.run import Choice, play

__all__ = ["Choice", "play"]
