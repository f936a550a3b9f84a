"""Texts with holes, to be filled by tokens in any order."""

from lipogram.decoding.canvas.canvas import Canvas, Statistics, Verdict
from lipogram.decoding.canvas.holes import Hole

__all__ = ["Canvas", "Hole", "Statistics", "Verdict"]
