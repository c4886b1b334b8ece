"""`gittrack live …`: tell others of a training while it goes on."""
