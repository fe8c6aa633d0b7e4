"""The jobs that v0.3.0 runs become tasks: its records in Redis, and what is on the cluster.

Nothing that v0.3.0 wrote is changed or removed, so that it can be started again. A job is adopted
once, for ever: its mark is written in the transaction that writes its task.
"""
