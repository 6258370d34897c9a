"""Which attention layers of a model draw letters: activation patching, its report and its manifest.

Staniszewski et al. 2025, section 3. `run` does all of it, `plan` says what is tried and chosen, `sweep`
draws and scores; `inkguard.cli.localize` prints what came of it.
"""
