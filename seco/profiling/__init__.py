"""Where the time of loading goes."""
