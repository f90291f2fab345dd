"""Pictures of indexes: one HTML file each, which needs no network and shows where it is from."""
