"""Reservations: the room on the cluster's nodes that each task holds, from its plan to its end.

A reservation is a slot for each pod, on a node. It is written in the transaction that says what the
task has to run, upon a version of everything that is reserved: two jobs at once never get the same
room, the later one decides again. It is released in the transaction that ends the task, or that
gives up the revision it was made for.
"""
