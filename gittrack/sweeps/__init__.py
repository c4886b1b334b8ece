"""Sweeps over params."""
