"""The strategies that ship with memreader, each found through its entry point."""
