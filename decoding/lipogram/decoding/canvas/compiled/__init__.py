"""What canvases run in compiled code."""
