"""What the nodes of a cluster have, what is taken of it, and what the cluster offers besides.

Reads and counts; what is reserved for tasks is the business of `app.admission`.
"""
