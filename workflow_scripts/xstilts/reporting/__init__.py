"""Reporting: what people read of a study."""
