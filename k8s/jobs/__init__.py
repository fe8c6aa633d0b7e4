"""Kubernetes Jobs in namespaces of ours, bounded and removed: image builds, and proofs.

Nothing of a tenant's workload runs here. What a Job needs and makes is in its spec, a registry or
its log, so that it goes on whatever happens to the process that started it.
"""
