"""The ImageNet world: the paper's own size, with ImageNet from the user's disk."""
