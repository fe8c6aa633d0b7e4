"""Garbage collection of what outlives single tasks: namespaces, images, pull secrets.

The objects of a task itself are removed by its own last step.
"""
