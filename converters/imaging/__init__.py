"""Pixels: reading them, mapping them to grey or colour, and encoding them. No labels here."""
