"""Worlds: where labelled pictures, a text-to-image model and a CLIP come from."""
