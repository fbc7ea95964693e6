"""Image sets as two revisions have them, side by side."""
