"""The database file: opened, made ready, migrated, backed up and brought back."""
