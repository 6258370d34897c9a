"""Drawing under the guard: what a user holds in place of a pipeline, and what happens in a call."""
