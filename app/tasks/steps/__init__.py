"""The steps of a task: fetch, plan, build, admit, reserve, apply, remove, prove.

Each runs in a worker under its task's lock, can be repeated from any line, and checks before every
write that it is still wanted. `app.tasks.advance` decides which step is next.
"""
