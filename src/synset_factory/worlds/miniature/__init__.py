"""The miniature world: pictures drawn by a renderer, models trained on its web from nothing."""
