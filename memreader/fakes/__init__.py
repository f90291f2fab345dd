"""What stands behind `memreader.testing`, where the public names are."""
