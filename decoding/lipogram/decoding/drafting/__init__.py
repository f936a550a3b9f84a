"""Guessing ahead of the model: it checks several tokens in one pass, and its law stays its own."""
