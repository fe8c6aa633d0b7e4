"""Manifests of a workload, filled from templates, one module for each group of kinds.

Everything here is pure. Applying manifests belongs to `k8s.apply`, checking them to `k8s.policy`.
"""
