# SPDX-License-Identifier: MIT
"""The image that is built for people, as `make run` boots it."""
import os

from machine import BUILD
from xl import Xl


def test_image(machine):
    """At dom0's shell both of the configurations that come with it make a domain; dom0 itself needs little."""
    with machine(iso=os.path.join(BUILD, "cerne.iso"), cpus=2, memory="512M") as m:
        xl = Xl(m)
        assert {"example.cfg", "debian.cfg"} <= set(xl.run("ls /etc/xl"))
        xl.xl("create example.cfg")
        xl.attach("example", "Hello from the example guest")
        xl.leave()
        xl.xl("create debian.cfg")
        xl.attach("debian", "INIT REACHED", timeout=300)
        xl.leave()
        assert set(xl.domains()) == {"Domain-0", "example", "debian"}
        used = {line.rsplit(None, 2)[0].strip(): int(line.split()[-2]) for line in xl.run("free") if "KiB" in line}
        root = os.stat(os.path.join(BUILD, "root.cpio")).st_size // 1024
        # Its image, page tables and all that it has taken since, but for the root, which is somebody else's.
        assert used["image and start of day"] + used["used since"] - root < 16 * 1024
        xl.poweroff()
