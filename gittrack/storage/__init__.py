"""Where the bytes of artifacts are shared: the git remote itself, Git LFS, an object store or a folder."""
