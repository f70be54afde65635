"""HTML for people: the portal of an enterprise administrator."""
