"""Scores of toxicity, which Detoxify gives."""
