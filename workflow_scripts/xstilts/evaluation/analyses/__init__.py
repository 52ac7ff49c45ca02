"""Analyses: tables behind figures and report, made from the tables of scores and estimates and what nodes left behind.

A module an analysis, with ``COLUMNS``, ``TABLE`` and ``collect(plan, results, estimates, scores)``, which returns a
table without rows where the study has nothing of the kind. Where ``MADE_FROM`` names other analyses, ``collect`` takes
their tables beside these. Which there are stands in ``reporting/outputs.py``, and in which order they are made. What an
analysis compares is a row of the table of estimates (``unasked.py`` adds it there), so examples are drawn once.
"""
