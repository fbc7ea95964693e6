"""Image sets on disk: tars, their index, and the files beside them."""
