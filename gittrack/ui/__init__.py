"""The user interface in a browser."""
