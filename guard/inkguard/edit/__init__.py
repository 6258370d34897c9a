"""Substitution: other text for some attention layers of a denoiser, while it draws."""
