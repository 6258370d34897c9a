"""`python -m inkguard`: the command `inkguard`."""

from inkguard.cli import main

main()
