"""Per-sample tables."""
