"""Models: the backbone of any family, its adapters, and heads on top."""
