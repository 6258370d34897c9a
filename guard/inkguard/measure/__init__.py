"""Measuring that `inkguard localize` and `inkguard evaluate` share: text, pictures, regions, prompts."""
