"""The service: HTTP in and out, the tasks and their steps, the records in Redis, the processes.

Each package imports only those below it in `.importlinter`; clusters are reached through `k8s`.
"""
