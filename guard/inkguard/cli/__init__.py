"""The command `inkguard`."""
