"""The health of a workload, read from its pods: ready, starting, or down for a reason.

Pure functions over objects of the API server; what follows from a state is decided in `app.tasks`.
"""
