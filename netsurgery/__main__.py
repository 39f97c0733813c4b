"""`python -m netsurgery`."""

from netsurgery.cli import main

if __name__ == "__main__":
    main()
