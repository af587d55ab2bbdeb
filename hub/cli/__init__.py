"""The command line: `hub --help`."""

from hub.kernel import collector

collector.starting()

from hub.cli.main import main  # noqa: E402 - the modules of all commands are what is loaded meanwhile

__all__ = ["main"]
