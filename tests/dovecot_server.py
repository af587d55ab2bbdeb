"""One throw-away Dovecot for a test: loopback, no root, one folder that goes with it.

    with running_dovecot(tmp_path) as mail:
        mail.append("INBOX", b"From: ...")          # another client's eyes and hands
        Email("shop", EmailSettings(address=mail.user, password=mail.password, imap_host="127.0.0.1", ...))

Under root it runs as `nobody`. Written for Dovecot 2.3 (Debian 12); 2.4 has another syntax and was not tried.
"""

import contextlib
import dataclasses
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from imapclient import IMAPClient

from tests.postgres_cluster import free_port

START_TIMEOUT_S = 20.0

CONFIGURATION = """
base_dir = @RUN@/run
state_dir = @RUN@/state
log_path = @RUN@/log
default_login_user = @USER@
default_internal_user = @USER@
default_internal_group = @GROUP@
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:@RUN@/mail/%u
mail_uid = @USER@
mail_gid = @GROUP@
mail_fsync = never
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 50
imap_idle_notify_interval = 2 mins
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u @RUN@/users
}
userdb {
  driver = passwd-file
  args = username_format=%u @RUN@/users
}
service imap-login {
  chroot =
  inet_listener imap {
    address = 127.0.0.1
    port = @PORT@
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service auth-worker {
  user = @USER@
}
namespace inbox {
  inbox = yes
  separator = /
}
"""


class DovecotAbsent(Exception):
    """Dovecot is not installed (Debian: apt-get install dovecot-imapd)"""


def find_dovecot() -> tuple[str, str]:
    """Paths of dovecot and doveadm. Raises DovecotAbsent."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    server, admin = shutil.which("dovecot", path=path), shutil.which("doveadm", path=path)
    if server is None or admin is None:
        raise DovecotAbsent("Dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    return server, admin


@dataclasses.dataclass
class Dovecot:
    """A running server with one mailbox."""

    folder: Path
    port: int
    user: str = "shop@example.com"
    password: str = "secret-of-the-mailbox"
    process: "subprocess.Popen[bytes] | None" = None

    # --- the server -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and wait until it takes a login."""
        server, _ = find_dovecot()
        owner = _owner()
        self.process = subprocess.Popen(
            [server, "-F", "-c", str(self.folder / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            user=owner.pw_uid if os.geteuid() == 0 else None,
            group=owner.pw_gid if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, IMAPClient.Error), self.client():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"Dovecot did not start: {self.log()}")

    def stop(self) -> None:
        """Stop it; every connection ends."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # sessions that outlive their master
            self.process = None

    def kick(self) -> None:
        """End every session of the user, as an administrator does."""
        _, admin = find_dovecot()
        subprocess.run(
            [admin, "-c", str(self.folder / "dovecot.conf"), "kick", self.user],
            check=False,
            capture_output=True,
        )

    def log(self) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")[-3000:]
        return "(no log)"

    # --- the mailbox, as another client sees it ---------------------------------------------------------

    @contextlib.contextmanager
    def client(self) -> Iterator[IMAPClient]:
        """A logged-in connection of somebody else's."""
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10) as client:
            client.login(self.user, self.password)
            yield client

    def append(self, folder: str, *mails: bytes, at: datetime | None = None) -> None:
        """Put mails into a folder."""
        with self.client() as client:
            for mail in mails:
                client.append(folder, mail, msg_time=at)

    def mails(self, folder: str = "INBOX") -> list[tuple[int, tuple[bytes, ...]]]:
        """UIDs and flags, without touching anything."""
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search("ALL"), ["FLAGS"])
            return [(uid, answer[b"FLAGS"]) for uid, answer in sorted(found.items())]

    def renumber(self, folder: str = "INBOX") -> None:
        """A new UIDVALIDITY over the same mails, as after a restored backup; the server is stopped meanwhile."""
        root = self.folder / "mail" / self.user
        self.stop()
        place = root if folder == "INBOX" else root / f".{folder}"
        for name in ("dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache"):
            (place / name).unlink(missing_ok=True)
        for path in root.glob("dovecot-uidvalidity*"):
            path.unlink()
        time.sleep(1.1)  # Dovecot makes the number of the second
        self.start()


def _owner() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


@contextlib.contextmanager
def running_dovecot() -> Iterator[Dovecot]:
    """Start a server in a folder of its own; raises DovecotAbsent."""
    find_dovecot()
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="hub-imap-", dir="/tmp"))
    import grp

    group = grp.getgrgid(owner.pw_gid).gr_name
    mail = Dovecot(folder, free_port())
    values = {"RUN": str(folder), "USER": owner.pw_name, "GROUP": group, "PORT": str(mail.port)}
    text = CONFIGURATION
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    (folder / "dovecot.conf").write_text(text)
    home = folder / "mail" / mail.user
    home.mkdir(parents=True)
    (folder / "users").write_text(
        f"{mail.user}:{{PLAIN}}{mail.password}:{owner.pw_uid}:{owner.pw_gid}::{home}::\n"
    )
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    try:
        mail.start()
        yield mail
    finally:
        mail.stop()
        shutil.rmtree(folder, ignore_errors=True)
