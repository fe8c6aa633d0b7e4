"""Workloads of v0.3.0: discovered, converted, and handed over without a restart.

No other package knows how v0.3.0 named and labelled its objects, and nothing here knows its
records in Redis.
"""
