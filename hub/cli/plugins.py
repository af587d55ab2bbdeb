"""hub plugins, hub plugins new, hub plugins test"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from hub.cli.frame import FINDING, config_option, fail, guarded, json_option, made, show


class Plugins(click.Group):
    """`hub plugins [NAME]` is `hub plugins show [NAME]`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is no command of ours is a plugin's name or an option of `show`."""
        if not args or (args[0] not in self.commands and args[0] not in self.get_help_option_names(ctx)):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Plugins)
def plugins() -> None:
    """Plugins: those that were found, a new one from the template, and the kit that proves one.

    `hub plugins [NAME]` is short for `hub plugins show [NAME]`.
    """


@plugins.command("show")
@click.argument("name", required=False)
@config_option
@json_option
@guarded
def show_plugins(name: str | None, config: str | None, as_json: bool) -> None:
    """Plugins that were found, what each offers, and why one stays out."""
    from hub.cli.logs import set_up_logs  # noqa: PLC0415

    set_up_logs(quiet=True)
    loaded = _loaded(config)
    rows: list[dict[str, Any]] = []
    for found in loaded.found:
        offers = [f"channel {p.name}" for p in found.channels] + [f"carrier {p.name}" for p in found.carriers]
        rows.append(
            {"plugin": found.name, "offers": offers, "problem": found.problem, "module": found.origin}
        )
    if name is not None:
        rows = [row for row in rows if row["plugin"] == name]
        if not rows:
            fail(f"no plugin {name}: see `hub plugins`")
        if not as_json:
            _describe(loaded, name, rows[0])
            return
    show(rows, as_json, "no plugins are installed")
    if any(row["problem"] for row in rows):
        sys.exit(FINDING)


def _loaded(config: str | None) -> Any:
    """Installed plugins, and those of the settings' plugins_dir where there are settings."""
    from hub.cli.frame import load_settings  # noqa: PLC0415
    from hub.loader import load_plugins  # noqa: PLC0415
    from hub.settings import settings_file  # noqa: PLC0415

    if config is None and not settings_file(None).is_file():
        return load_plugins()
    return load_plugins(folder=load_settings(config).plugins_folder())


def _describe(loaded: Any, name: str, row: dict[str, Any]) -> None:
    """One plugin with the keys of its settings."""
    click.echo(f"{name}: {', '.join(row['offers']) or 'offers nothing'}")
    if row["problem"]:
        click.echo(f"stays out: {row['problem']}")
    found = next(d for d in loaded.found if d.name == name)
    for kind in [*found.channels, *found.carriers]:
        keys = [
            {
                "key": key,
                "default": "(required)" if field.is_required() else repr(field.default)[:40],
                "meaning": field.description or "",
            }
            for key, field in kind.settings.model_fields.items()
        ]
        click.echo("")
        show(keys, False, "no settings")
    if row["problem"]:
        sys.exit(FINDING)


@plugins.command("new")
@click.argument("kind", type=click.Choice(["channel", "carrier"]))
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@json_option
@guarded
def new(kind: str, name: str, folder: Path | None, as_json: bool) -> None:
    """Make a working plugin NAME in FOLDER (default: ./NAME), a distribution of its own with tests and README.

    What is left to its author is marked FILL IN. docs/plugins.md goes on from here.
    """
    from hub.loader import load_plugins  # noqa: PLC0415
    from hub.testing.scaffold import check_name, new_plugin, places_left  # noqa: PLC0415

    found = load_plugins()
    taken = {one.name for one in found.found} | found.channels.keys() | found.carriers.keys()
    check_name(name, frozenset(taken))
    folder = folder if folder is not None else Path(name)
    written = new_plugin(kind, name, folder)
    made(
        {"plugin": name, "folder": str(folder), "files": [str(one) for one in written]}, as_json,
        f"made {folder} with {len(written)} files; {len(places_left(folder))} places are marked FILL IN\n"
        f"now: hub plugins test {folder}",
    )  # fmt: skip


@plugins.command("test")
@click.argument("path_or_name")
@json_option
@guarded
def test(path_or_name: str, as_json: bool) -> None:
    """Run the contract kit of a plugin: the folder of its source, or its name where it is installed from one."""
    from dataclasses import asdict  # noqa: PLC0415

    from hub.cli.kit import locate, run  # noqa: PLC0415
    from hub.cli.logs import set_up_logs  # noqa: PLC0415

    set_up_logs(quiet=True)
    found = run(locate(path_or_name))
    if as_json:
        made(asdict(found), as_json, "")
    else:
        for one in found.failed:
            _tell(one)
        for line in found.missing:
            click.echo(f"missing: {line}")
        for line in found.left:
            click.echo(f"note: {line}")
        failed = f"{len(found.failed)} failed" if found.failed else "all hold"
        click.echo(f"{found.checks} checks of the kit: {failed}")
    if not found.good:
        sys.exit(FINDING)


def _tell(failure: dict[str, str]) -> None:
    """One failed check in plain words."""
    click.echo(f"failed: {failure['check']}")
    if failure["meaning"]:
        click.echo(f"  it means: {failure['meaning']}")
    click.echo(f"  it found: {failure['why']}")
    if failure["where"]:
        click.echo(f"  look at:  {failure['where']}")
    click.echo("")


COMMANDS = (plugins,)
