"""The composition root: builds the whole from settings, starts it, stops it."""
