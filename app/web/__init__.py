"""HTTP and WebSocket in: routes, endpoints, authentication, limits of requests, responses.

An endpoint reads a request, calls one operation and writes its answer; the meaning of an event is
decided in `app.intake`.
"""
