"""Training: token arrays, the optimizer, the schedule of its rate, and the loop."""
