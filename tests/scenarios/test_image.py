# SPDX-License-Identifier: MIT
"""The image that is built for people, as `make run` boots it."""
import os
import re
import socket
import time
import urllib.error
import urllib.request

from machine import BUILD, PATIENCE, Machine
from test_vif import free_port
from xl import Xl


class MakeRun(Machine):
    """The machine that `make run` makes; variables: make's."""

    def __init__(self, **variables):
        super().__init__("make-run", iso=os.path.join(BUILD, "cerne.iso"))
        variables = {"BUILD": os.environ.get("BUILD", "build"), **variables,
                     "QEMU_ARGS": f"-d cpu_reset -D {os.path.join(self.dir, 'resets.log')}"}
        self.command_line = ["make", "--no-print-directory", "run", *(f"{name}={value}" for name, value in variables.items())]


def fetch(url):
    """The page of a server that is about to start."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            assert time.monotonic() < end, f"{url}: {error}"
            time.sleep(0.2)


def cell(page, name):
    return re.search(f"<th>{name}<td>(.*)", page).group(1)


def test_make_run():
    """The Debian guest's page is at the address that the console tells, though the port that it should have is taken. The
    other configurations make domains, too; dom0 itself needs little."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        with MakeRun(PAGE=port) as m:
            url, told = m.expect(r"\n[^\n]*its page is at (http://127\.0\.0\.1:(\d+)/)\r*\n").groups()
            xl = Xl(m)
            assert int(told) > port
            assert {"example.cfg", "debian.cfg", "web.cfg"} <= set(xl.run("ls /etc/xl"))
            domains = xl.domains()
            assert set(domains) == {"Domain-0", "debian"}
            page = fetch(url)
            assert cell(page, "Guest") == domains["debian"]["uuid"]
            assert re.fullmatch(r"Linux 6\.1\.\S+-cloud-amd64", cell(page, "Kernel"))
            assert cell(page, "Hypervisor") == "xen 4.17-cerne"
            assert cell(page, "Address") == "10.0.2.15"
            up = cell(page, "Up")
            while cell(fetch(url), "Up") == up:
                pass
            xl.xl("create example.cfg")
            xl.attach("example", "Hello from the example guest")
            xl.leave()
            xl.xl("create web.cfg")
            xl.attach("web", r"web: http://10\.0\.2\.16/\r*\n")
            xl.leave()
            assert set(xl.domains()) == {"Domain-0", "debian", "example", "web"}
            used = {line.rsplit(None, 2)[0].strip(): int(line.split()[-2]) for line in xl.run("free") if "KiB" in line}
            root = os.stat(os.path.join(BUILD, "root.cpio")).st_size // 1024
            # Its image, page tables and all that it has taken since, but for the root, which is somebody else's.
            assert used["image and start of day"] + used["used since"] - root < 16 * 1024
            xl.xl("reboot debian")
            xl.wait_for("restarted", lambda all_: all_.get("debian", domains["debian"])["domid"] != domains["debian"]["domid"])
            assert cell(fetch(url), "Address") == "10.0.2.15"
            xl.poweroff()
