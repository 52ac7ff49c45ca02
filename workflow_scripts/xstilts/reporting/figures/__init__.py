"""Figures: a module each, named in ``store/figures.py``, and what they share.

The module of a figure has ``frame(inputs)``, the data that are drawn; ``draw(frame, plan, options)``, which returns a
matplotlib figure; and ``NOTHING``, the sentence that stands in its place where the frame has no rows.
"""
