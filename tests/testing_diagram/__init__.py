"""Tests of the space-time diagrams: what is drawn can be read back, and no label breaks it."""
