"""All commands. Each imports what it needs when it runs: `hub --help` and `hub track` stay quick."""

from __future__ import annotations

import click

from hub import __version__
from hub.cli.channels import COMMANDS as CHANNELS
from hub.cli.doctor import COMMANDS as DOCTOR
from hub.cli.emulate import COMMANDS as EMULATE
from hub.cli.exporting import COMMANDS as EXPORTING
from hub.cli.fairness import COMMANDS as FAIRNESS
from hub.cli.importing import COMMANDS as IMPORTING
from hub.cli.operate import COMMANDS as OPERATE
from hub.cli.people import COMMANDS as PEOPLE
from hub.cli.plugins import COMMANDS as PLUGINS
from hub.cli.setup import COMMANDS as SETUP
from hub.cli.tracking import COMMANDS as TRACKING


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hub")
def main() -> None:
    """Orders from every channel, dealt evenly, followed until goods and money have arrived."""


for command in (
    *SETUP,
    *PLUGINS,
    *EMULATE,
    *PEOPLE,
    *TRACKING,
    *OPERATE,
    *IMPORTING,
    *EXPORTING,
    *FAIRNESS,
    *DOCTOR,
    *CHANNELS,
):
    main.add_command(command)
