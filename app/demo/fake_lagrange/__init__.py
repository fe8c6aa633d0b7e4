"""A stand-in for Lagrange: serves Spaces, assigns jobs with real signatures, takes callbacks."""

from app.demo.fake_lagrange.misbehaviour import Behaviour
from app.demo.fake_lagrange.recorded import ReceivedCallback, SignatureState
from app.demo.fake_lagrange.server import Lagrange
from app.demo.fake_lagrange.signed_requests import Form, Job, Request

__all__ = ["Behaviour", "Form", "Job", "Lagrange", "ReceivedCallback", "Request", "SignatureState"]
