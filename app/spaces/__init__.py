"""From a Space to a workload: its source fetched, its deployment file read, its image built.

Everything here handles bytes of strangers, within bounds. Nothing here changes a task.
"""
