"""The whole system on a simulated clock, from a seed."""
