"""What happens by itself: jobs of the night, folders that change, and an index that is kept up to date."""
