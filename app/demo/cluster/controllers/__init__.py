"""The controllers of the simulated cluster: Deployments, scheduler, kubelet, and their loop.

Each brings the objects of the store nearer to what they are asked to be. Nothing here speaks HTTP.
"""
