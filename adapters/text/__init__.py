"""A reply's Markdown, cut into parts and rendered as each platform writes it."""
