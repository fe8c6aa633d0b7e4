"""The state machine of tasks, and everything that moves a task along.

`transitions` decides purely; workers, watcher and clock call the rest. What a task writes goes
through `app.store`, what it asks of a cluster through `k8s`.
"""
