"""Unit tests, one file a module; what holds for every history is in ``properties``."""
