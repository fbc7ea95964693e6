"""The prompt files that people edit, and how prompts are put together from them."""
