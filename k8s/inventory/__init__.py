"""The inventory of a cluster: capacity of its nodes, usage by pods, optional features.

Modules here read and count, and write nothing. Reservations belong to `app.admission`.
"""
