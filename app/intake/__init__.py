"""One event on its way in: dispatched to its handler, checked, decided, committed with its receipt.

Nothing here knows HTTP. What an event does to a task is written in `handlers` and
`app.tasks.transitions`.
"""
