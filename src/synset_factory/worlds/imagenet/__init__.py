"""The ImageNet world: ImageNet-1K as it lies on this machine, models by pinned revision."""
