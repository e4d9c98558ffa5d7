"""Search engines behind one small interface: an index folder (exact or FAISS), LanceDB, Qdrant."""
