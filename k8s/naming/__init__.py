"""Names and labels of the objects that are ours, from words that strangers chose.

Pure functions and constants; nothing here talks to a cluster or knows what an object contains.
"""
