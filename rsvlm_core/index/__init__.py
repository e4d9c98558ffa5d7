"""Index folders: embeddings of tiles as GeoParquet parts, and exact search over them."""
