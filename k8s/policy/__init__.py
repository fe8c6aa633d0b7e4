"""The rules that every rendered object of a tenant has to keep, whatever template it came from.

An allow-list over finished manifests; a broken rule is a `Violation`. Nothing here changes a
manifest.
"""
