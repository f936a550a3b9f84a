"""Bytes out of a model of tokens: exact laws whatever the tokenizer, and where a prompt is cut."""
