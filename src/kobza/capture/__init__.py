"""SIP messages for people who look at them: as ladders in text and SVG, and as captures."""
