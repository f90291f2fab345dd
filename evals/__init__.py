"""Measures readers: `python -m evals examples --model local`. Not part of the distribution."""
