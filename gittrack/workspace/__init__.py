"""What a person does with artifacts in a work tree: add, restore, compare, move, remove and clean up."""
