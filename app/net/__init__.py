"""HTTP to others: one client, the guard against server-side request forgery, wire signatures.

Checks JSON from others too. Knows addresses, bytes and keys; nothing of tasks, Redis or clusters.
"""
