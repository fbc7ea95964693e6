"""The review page: look at the worst classes, try prompts, keep the better ones."""
