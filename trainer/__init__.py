"""Shards in, weights out. The trainer is not there yet; see README.md."""
