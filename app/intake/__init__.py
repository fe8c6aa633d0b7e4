"""The intake of one event: dispatched to its handler, checked, decided, committed with its receipt.

Nothing here knows HTTP. The effect of an event on a task is written in `handlers` and
`app.tasks.transitions`.
"""
