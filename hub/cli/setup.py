"""hub init, hub serve, hub check, hub demo"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from hub.cli.frame import FINDING, config_option, fail, guarded, json_option, load_settings, made, show
from hub.kernel.errors import SettingsRejected

PACKAGED = Path(__file__).with_name("hub.example.toml")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("."))
@json_option
@guarded
def init(folder: Path, as_json: bool) -> None:
    """Write starter settings and a secret key below FOLDER/config; what exists is left alone."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    settings, key = config / "hub.toml", config / "secret.key"
    written = []
    if not settings.exists():
        settings.write_text(PACKAGED.read_text(encoding="utf-8"), encoding="utf-8")
        written.append(str(settings))
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(48) + "\n", encoding="utf-8")
        written.append(str(key))
    sentence = f"wrote {', '.join(written)}" if written else f"{settings} is there already, nothing changed"
    made({"settings": str(settings), "written": written}, as_json, sentence)


@click.command()
@click.option(
    "--role",
    type=click.Choice(["all", "web", "worker"]),
    default="all",
    show_default=True,
    help="web: intake, workspace and API; worker: what runs behind them; both need PostgreSQL.",
)
@click.option("--host", help="Address to listen on (default: [web] host).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on (default: [web] port; 0: any)."
)
@click.option(
    "--reload-plugins",
    is_flag=True,
    help="While developing: start again whenever a file of [hub] plugins_dir changes; no message is lost.",
)
@click.option("--listen-fd", type=int, hidden=True)
@config_option
@guarded
def serve(
    role: str,
    host: str | None,
    port: int | None,
    reload_plugins: bool,
    listen_fd: int | None,
    config: str | None,
) -> None:
    """Run the hub: intake, workspace, API, and the work behind them."""
    from hub.cli.logs import set_up_logs  # noqa: PLC0415

    set_up_logs()
    loaded = load_settings(config)  # before all that it takes to serve: what is wrong there is told at once
    from hub.cli.run import serve_forever  # noqa: PLC0415
    from hub.runtime.process import Role  # noqa: PLC0415

    if reload_plugins:
        from hub.cli.reload import serve_reloading  # noqa: PLC0415

        given = ["--role", role, *(["--config", config] if config else [])]
        serve_reloading(loaded, host, port, given)
    serve_forever(loaded, host, port, role=Role(role), listening=listen_fd)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep (default: a temporary one).",
)
@guarded
def demo(host: str, port: int, data: Path | None) -> None:
    """A living demonstration: seeded staff, an emulated customer and an emulated Nova Poshta."""
    from hub.cli.demo import run_demo  # noqa: PLC0415
    from hub.cli.logs import set_up_logs  # noqa: PLC0415

    set_up_logs()
    run_demo(host, port, data)


@click.command()
@config_option
@json_option
@guarded
def check(config: str | None, as_json: bool) -> None:
    """Try settings, database, plugins and every account's credentials; exit code 1 names what is wrong."""
    from hub.cli.checks import as_json as plain  # noqa: PLC0415
    from hub.cli.checks import in_language, problems, run_checks  # noqa: PLC0415
    from hub.cli.logs import set_up_logs  # noqa: PLC0415

    set_up_logs(quiet=True)
    try:
        loaded = load_settings(config)
    except SettingsRejected as error:
        fail("\n".join(problems(error, config)))
    rows = run_checks(loaded)
    show(plain(rows) if as_json else in_language(rows, loaded.settings.hub.language), as_json, "")
    if any(row["result"] == "wrong" for row in rows):
        sys.exit(FINDING)


COMMANDS = (init, serve, demo, check)
