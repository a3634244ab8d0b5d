"""Chat platforms: native events in, native messages out. Imports nothing of the other packages."""
