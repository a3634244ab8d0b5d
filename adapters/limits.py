"""One budget per chat for every call to it, besides the global one: the platforms' limits hold across all of them."""
