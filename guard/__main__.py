"""`python -m guard`: the command `inkguard`."""

from guard.cli import main

main()
