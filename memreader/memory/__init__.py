"""What is remembered: notes of a reading; trees, graphs and vectors between readings."""
