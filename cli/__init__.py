"""The command line: parses, calls seco, prints."""
