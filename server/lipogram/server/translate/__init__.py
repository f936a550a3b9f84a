"""Between wire types and jobs, both ways. Pure: no input or output, no waiting."""
