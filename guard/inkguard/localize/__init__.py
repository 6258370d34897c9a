"""Which attention layers of a model draw letters: activation patching, its report and its manifest.

Staniszewski et al. 2025, section 3. `command` runs it, `plan` says what is tried and chosen, `sweep`
draws and scores, `journal` keeps the results.
"""
