"""Discord: gateway events in, messages and interactions out."""
