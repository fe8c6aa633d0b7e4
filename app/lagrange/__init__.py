"""Everything that is sent to Lagrange and its storage: callbacks, reports, result documents.

What is sent is decided elsewhere, in the transaction that changes a task; here it is delivered.
"""
