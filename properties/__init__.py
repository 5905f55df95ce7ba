"""Facts about the store that hold for every history, tried on random ones."""
