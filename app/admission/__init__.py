"""Admission of jobs: the operator's lists of wallets, prices and quotas, and reservations."""
