"""Admission of jobs: the operator's lists of wallets, prices and quotas, and reservations.

Decisions alone live here; a task changes in `app.tasks`.
"""
