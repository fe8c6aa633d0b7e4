"""Garbage collection of what outlives single tasks: namespaces, images, pull secrets."""
