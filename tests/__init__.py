"""Tests, and what they build."""
