"""`inkguard evaluate`: how well toxic text is kept out of a model's pictures, and at what price."""
