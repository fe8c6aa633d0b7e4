"""Conversion of a Space into a workload: source download, deployment file, model, image build.

Parsers and builders of untrusted files live here, each within limits of size and time. Nothing here
reads or changes a task.
"""
