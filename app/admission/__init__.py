"""Whose jobs come in, and for how much: the operator's lists of wallets, prices and quotas."""
