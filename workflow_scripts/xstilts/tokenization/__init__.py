"""Tokenization: texts become token ids."""
