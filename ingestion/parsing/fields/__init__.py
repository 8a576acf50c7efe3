"""Recognition of the fields of a reading by their names, titles and values."""
