"""Everything sent to Lagrange and its storage: callbacks, reports, result documents.

Callbacks are decided in the transaction that changes a task; they are only delivered here.
"""
