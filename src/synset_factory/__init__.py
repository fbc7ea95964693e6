"""A data-versioned factory of synthetic image sets, after the paper "Diversity and Diffusion"."""
