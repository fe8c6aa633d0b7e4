"""`python -m app.cli`, as the supervisor starts its children."""

from app.cli import main

main(prog_name="computing-provider")
