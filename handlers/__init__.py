"""Handlers: one module for each event, imported by its name (`job.assigned`: `job_assigned`).

A handler decides; its only I/O is to read the store. Its one public function is
`async def handle(payload, context) -> Decision`, and `Payload` names the type of its data.
"""
