"""The check: what a prompt wants drawn, and the decision of the policy on it."""
