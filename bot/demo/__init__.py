"""The demonstration: a fictional household's handbook in French and English, and questions that it answers."""
