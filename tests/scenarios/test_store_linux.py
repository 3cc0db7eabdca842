# SPDX-License-Identifier: MIT
"""The store's clients that others wrote: Linux's xenbus, and Debian's xenstore commands in a Linux domU."""
import re

import pytest

import linux
from xl import Xl, xl_machine


@pytest.fixture
def files(tmp_path):
    """Debian's kernel, and an initrd with the commands of xenstore-utils as they are shipped."""
    extra = linux.package_program("xenstore-utils", "usr/bin/xenstore", "bin")
    initrd = tmp_path / "initrd"
    linux.make_initrd(str(initrd), files=extra)
    return {"boot/linux": linux.kernel(), "boot/initrd": str(initrd)}


CONFIG = """name = "linux"
kernel = "/boot/linux"
ramdisk = "/boot/initrd"
extra = "console=hvc0 quiet"
memory = 192
"""


def test_xenstore_utils(machine, tmp_path, files):
    with xl_machine(machine, tmp_path, {"linux": CONFIG}, files, cmdline="dom0_mem=64M", memory="512M") as m:
        dom0 = Xl(m)
        dom0.xl("create linux")
        dom0.attach("linux", "")
        domu = linux.Linux(m, 100)

        def xenstore(command, ok=True):
            return [line for line in domu.run(f"xenstore {command}", ok=ok).split("\n") if line]

        # Its own folder, by a relative and an absolute path.
        (domid,) = xenstore("read domid")
        base = f"/local/domain/{domid}"
        assert xenstore(f"read {base}/name") == ["linux"]
        assert {"control", "data", "memory"} <= set(xenstore(f"list {base}"))
        assert "Permission denied" in xenstore("ls /vm", ok=False)[0] or xenstore("ls /vm", ok=False) == []
        # Values and folders of its own; all in one transaction; long lists in parts.
        assert xenstore("write data/a 1 data/b/c 'two words'") == []
        assert xenstore("read data/a data/b/c") == ["1", "two words"]
        assert xenstore("ls data") == ['a = "1"', 'b = ""', ' c = "two words"']
        assert xenstore("ls -p data")[0].endswith(f"(n{domid})")
        assert xenstore("rm data/b") == []
        assert xenstore("exists data/b", ok=False) == []
        domu.run("for i in $(seq 100 250); do xenstore write data/list/" + "n" * 40 + "$i x || break; done")
        assert len(xenstore("list data/list")) == 151
        # Permissions: what it may, and what it may not.
        assert xenstore("chmod data/a r%s b0" % domid) == []
        assert xenstore("chmod data/a n0", ok=False) != []
        assert xenstore("write name other", ok=False) != []
        assert xenstore("write /local/domain/0/x y", ok=False) != []
        assert xenstore("read name") == ["linux"]
        # A watch, fired by its own change.
        domu.run("xenstore watch -n 3 data/w >/tmp/seen & sleep 1; xenstore write data/w 1; xenstore write data/w/x 2; wait")
        assert domu.run("cat /tmp/seen").split() == ["data/w", "data/w", "data/w/x"]
        domu.check_log()

        # dom0 sees the same, and the domain's watches see what dom0 does.
        m.send("xenstore watch -n 2 data/from\r")
        m.expect(r"\ndata/from\s")
        dom0.leave()
        assert dom0.run(f"xenstore-read {base}/data/w/x") == ["2"]
        assert dom0.run(f"xenstore-ls -fp {base}/data/a") == []
        assert dom0.run(f"xenstore-write {base}/data/from dom0") == []
        assert dom0.run("xenstore-control check") == ["OK"]
        m.send("xl console linux\r")
        m.expect(r"data/from\s*\n")
        m.expect(re.escape(linux.PROMPT))
        dom0.leave()

        # Linux itself: it answers control/shutdown, which is a watch and a transaction of its own.
        dom0.xl("shutdown -w linux")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        assert dom0.run(f"xenstore-exists {base}") == [f"xenstore-exists: there is no {base}"]
        assert dom0.run("xenstore-control check") == ["OK"]
        dom0.poweroff()
