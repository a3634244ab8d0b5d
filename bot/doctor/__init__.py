"""What can be wrong, and the remedy for each: the installation, the bots, and the examination of both."""
