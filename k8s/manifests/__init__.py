"""Manifests: from a workload to the objects that run it, filled into templates.

Pure, one module for each group of kinds. Nothing here applies or checks what it makes:
that is for `k8s.apply` and `k8s.policy`.
"""
