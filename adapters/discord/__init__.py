"""Discord: gateway events in, messages and interactions out. Importing it imports no library: `platform` does."""
