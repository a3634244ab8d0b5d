"""Alembic: how the database came to its present form."""
