"""The Telegram adapter against the stand-in, over sockets."""
