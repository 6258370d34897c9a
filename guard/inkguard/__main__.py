"""`python -m inkguard`: the command `inkguard`."""

from inkguard.cli.main import main

main()
