"""Names and labels of the provider's objects, made safe from untrusted words.

Pure functions and constants; nothing here talks to a cluster or knows the contents of an object.
"""
