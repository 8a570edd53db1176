"""Training: the loop, its objective, and its resumable state."""
