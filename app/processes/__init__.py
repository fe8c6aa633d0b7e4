"""The processes web, worker, watcher and clock, and the supervisor that keeps them running.

A process wires together what other rooms do and adds a loop; it makes no decisions of its own.
"""
