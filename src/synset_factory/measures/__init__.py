"""Measures: pure functions of numpy arrays. No files, no models, no logging."""
