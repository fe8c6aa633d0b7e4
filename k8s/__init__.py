"""Workloads on a Kubernetes cluster: rendered, checked, applied, watched, deleted.

Everything that speaks to an API server or knows the shape of an object lives here. Nothing here
knows Lagrange, tasks' records or Redis, and nothing imports `app` or `handlers`.
"""
