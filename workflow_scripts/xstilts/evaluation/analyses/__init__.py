"""Analyses of a study, a table each: what figures draw and the report shows."""
