"""Training: one loop for every phase, and what keeps a run safe."""
