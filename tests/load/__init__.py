"""Load: many requests at a time, good, malformed, abandoned and hostile; `python -m tests.load`."""
