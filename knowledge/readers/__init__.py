"""Readers: a file in, headings and text out."""
