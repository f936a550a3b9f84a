"""Fillings that are far from the witness, found item by item instead of state by state."""
