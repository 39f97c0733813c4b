"""Proof: the reference against runtimes, blob by blob."""
