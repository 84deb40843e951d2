"""Records in, shards out: samples to prompts to texts to checks to parquet."""
