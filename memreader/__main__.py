"""`python -m memreader` is the command line."""

from memreader.cli import main

if __name__ == "__main__":
    main()
