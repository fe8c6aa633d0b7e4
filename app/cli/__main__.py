"""Entry point of `python -m app.cli`, with which the supervisor starts its children."""

from app.cli import main

main(prog_name="computing-provider")
