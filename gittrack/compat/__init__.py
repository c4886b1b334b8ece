"""Other libraries' names and signatures over gittrack's own parts."""
