"""Data: raw files become checked rows, and rows become batches."""
