"""Writes to the cluster: a workload applied, pruned, rolled back or removed, all of it or none.

What is written comes from `k8s.render`; namespaces and pull secrets that outlive a workload are
removed here too.
"""
