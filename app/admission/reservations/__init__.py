"""Reservations: the room on the cluster's nodes that each task holds, from its plan to its end.

A reservation is a slot for each pod, on a node. It is written in the transaction that says what the
task has to run, upon a version of everything that is reserved: two jobs at once never get the same
room, the later one decides again. It is released in the transaction that ends the task, or that
gives up the revision it was made for.

A version that takes the place of another has its pods beside the other's, as far as both run at
once. A rolling update starts one pod more than there are and ends an old one for each new one that
is ready; so one new pod of each component gets room of its own, and the others inherit the slots of
those that they replace, where they are not larger. Where the old pods have to go first (their
volumes can be used only once), all slots are inherited. A slot that two versions hold counts once.
"""
