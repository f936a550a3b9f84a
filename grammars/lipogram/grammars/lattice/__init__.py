"""Configurations of many texts at once: unions of states, and what any text at all leads to."""
