"""HTTP and WebSocket in: endpoints, authentication, limits of requests, answers.

An endpoint reads a request, calls one operation and writes its answer; what an event means is
decided in `app.intake`.
"""
