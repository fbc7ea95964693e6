"""Exact k-nn by cosine similarity at the paper's size; `find` says how."""
