"""Everything that is asked of git: objects, refs, snapshots, remotes."""
