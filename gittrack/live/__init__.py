"""Live metrics."""
