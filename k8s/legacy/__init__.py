"""Workloads of v0.3.0: found, understood, and handed over without a restart.

Nothing else knows how v0.3.0 named and labelled its objects.
"""
