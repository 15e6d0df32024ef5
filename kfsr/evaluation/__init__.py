"""Scores, data sets and the self-test."""
