"""Speed beside the lower bound and beside other libraries: `python -m benchmarks.speed`."""
