"""Intermediate-task training and zero-shot cross-lingual transfer, as a reproducible pipeline."""

__version__ = "0.1.0"
