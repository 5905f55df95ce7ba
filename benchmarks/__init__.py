"""What crdtstore costs beside what it stands on: ``python -m benchmarks``; see README.md."""
