"""A stand-in for Lagrange: serves Spaces, assigns jobs with real signatures, takes callbacks.

It imports nothing of the provider but its HTTP client and signatures.
"""

from app.demo.fake_lagrange.misbehaviour import Behaviour
from app.demo.fake_lagrange.recorded import ReceivedCallback, SignatureState
from app.demo.fake_lagrange.server import Lagrange
from app.demo.fake_lagrange.signed_requests import Form, Job, Request

__all__ = ["Behaviour", "Form", "Job", "Lagrange", "ReceivedCallback", "Request", "SignatureState"]
