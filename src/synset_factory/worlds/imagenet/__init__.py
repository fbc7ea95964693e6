"""The ImageNet world: the paper's own size, with ImageNet and models that others have made."""
