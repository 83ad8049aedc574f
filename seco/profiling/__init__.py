"""Where the time of loading and of training goes."""
