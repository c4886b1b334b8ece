"""The content-addressed store of artifact bytes."""
