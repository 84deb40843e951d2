"""Source files in, records out. Knows nothing of text generation, Ray or torch."""
