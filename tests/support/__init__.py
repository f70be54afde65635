"""What tests of several packages share: a webhook sink, free ports, the look at a tone."""
