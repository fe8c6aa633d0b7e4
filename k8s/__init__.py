"""Run workloads on a Kubernetes cluster. Imports nothing of ours; alone imports `kubernetes`."""
