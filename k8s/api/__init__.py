"""Access to the API server: requests, responses, errors, watches, and the shapes of its objects.

Only this package imports `kubernetes`. It knows Kubernetes, and nothing of workloads or tenants.
"""
