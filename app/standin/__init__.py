"""A stand-in for Lagrange: serves Spaces, assigns jobs with real signatures, takes callbacks."""

from app.standin.behaviour import Behaviour
from app.standin.lagrange import Lagrange
from app.standin.messages import Form, Job, Request
from app.standin.records import Callback, SignatureState

__all__ = ["Behaviour", "Callback", "Form", "Job", "Lagrange", "Request", "SignatureState"]
