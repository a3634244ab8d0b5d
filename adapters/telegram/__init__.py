"""Telegram: updates in, messages and drafts out."""
