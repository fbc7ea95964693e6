"""The DVC stages, one module each; they never import each other."""
