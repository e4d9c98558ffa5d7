"""Training data: shard reading, and captions from whatever a sample says of itself."""
