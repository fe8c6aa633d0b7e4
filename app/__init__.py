"""The service: what comes in, what goes out, what is remembered, what is queued."""
