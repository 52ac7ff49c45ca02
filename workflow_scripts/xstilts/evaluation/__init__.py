"""Evaluation: predictions, vectors, scores and their statistics."""
