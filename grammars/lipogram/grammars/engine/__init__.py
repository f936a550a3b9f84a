"""The engine: grammars as hash-consed residuals and configurations, in compiled code."""
