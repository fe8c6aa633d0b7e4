"""What to do about each event: one module each, found by name (`job.assigned`: `job_assigned`).

A handler decides; it does no I/O but reading the store. Its one public function is
`async def handle(payload, context) -> Decision`, and `Payload` names the type of its data.
"""
