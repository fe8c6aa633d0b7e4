"""The controllers of the simulated cluster: Deployments, scheduler, kubelet, and their loop.

Each reconciles objects of the store with their specifications. Nothing here speaks HTTP.
"""
