"""HTTP to others: one client, the guard against server-side request forgery, wire signatures.

Knows addresses, bytes, keys and the shapes of others' JSON; nothing of tasks, Redis or clusters.
"""
