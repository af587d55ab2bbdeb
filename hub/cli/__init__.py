"""The command line: `hub --help`."""

from hub.cli.main import main

__all__ = ["main"]
