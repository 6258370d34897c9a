"""Manifests: at which attention layers a model draws letters, as files."""
