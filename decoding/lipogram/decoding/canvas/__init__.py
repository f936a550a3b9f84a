"""Texts with holes, to be filled by tokens in any order."""

from lipogram.decoding.canvas.canvas import Canvas, Statistics, Verdict
from lipogram.decoding.canvas.holes import Hole
from lipogram.decoding.canvas.warming import warm_up

__all__ = ["Canvas", "Hole", "Statistics", "Verdict", "warm_up"]
