# SPDX-License-Identifier: MIT
"""Consoles of other domains, at dom0's shell."""
import os
import re

from machine import BUILD
from shell import Shell
from xl import Xl, xl_machine

PROMPT = "example> "
HOSTILE = os.path.join(BUILD, "tests/guests/hostile-domu")


def example(text=""):
    return f'kernel = "/boot/example"\nmemory = 4\non_crash = "destroy"\non_poweroff = "destroy"\n{text}'


def test_console_log(machine):
    """Without a domain: nobody's log, and the hypervisor's."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        assert re.fullmatch(r" *ID +NAME +STATE +KEPT +PRINTED", shell.run("console-log")[0])
        assert "no console of a domain 'nobody'" in shell.run("console-log nobody")[0]
        assert any("CPUs: 1 online" in line for line in shell.run("console-log hypervisor"))
        shell.poweroff()


def test_attach(machine, tmp_path):
    """From the first byte, once; a command answered; Ctrl-] leaves; what comes meanwhile is there afterwards."""
    with xl_machine(machine, tmp_path, {"a": example('name = "a"')}, memory="128M") as m:
        dom0 = Xl(m)
        dom0.xl("create a")
        dom0.attach("a", "Hello from the example guest, with 4096 KiB")
        m.expect("store: this is domain 1\r")
        m.expect(PROMPT)
        m.send("echo some words\r")
        m.expect("\nsome words\r")
        m.send("store write data/x value\r")
        m.expect(PROMPT)
        m.send("store list data\r")
        m.expect("\nexample\r+\nx\r")
        dom0.leave()
        assert dom0.run("xenstore-read /local/domain/1/data/x") == ["value"]
        # Typed in one go with the command that attaches.
        m.send("xl console a\recho again\r")
        m.expect("\nagain\r")
        assert "Hello" not in m.child.before.split("xl console a")[-1]
        m.expect(PROMPT)
        dom0.leave()
        log = dom0.run("console-log a")
        assert sum("Hello" in line for line in log) == 1 and "again" in log
        # What it cannot do it says, and goes on; its answer is an empty node.
        dom0.run("xenstore-write /local/domain/1/control/shutdown suspend")
        dom0.attach("a", "this guest cannot suspend\r")
        m.send("echo still here\r")
        m.expect("\nstill here\r")
        dom0.leave()
        assert "".join(dom0.run("xenstore-read /local/domain/1/control/shutdown")) == ""
        dom0.xl("shutdown -w a")
        assert any("asked to poweroff" in line for line in dom0.run("console-log a"))
        # Attached from the first byte on; when the domain ends the shell is back by itself.
        m.send("xl create -c a\r")
        m.expect("Hello from the example guest")
        m.expect(PROMPT)
        m.send("poweroff\r")
        m.expect("cerne# ")
        dom0.poweroff()


def test_last_words(machine, tmp_path):
    """A domain that crashes at once, seen by nobody: all it said is kept, for the last eight of nine."""
    with xl_machine(machine, tmp_path, {"c": example('name = "c"\nextra = "crash"')}, memory="128M") as m:
        dom0 = Xl(m)
        # Without xl's own watch, whose messages would come in between.
        for domid in range(1, 10):
            dom0.xl("create -e c")
            dom0.wait_for("crashed", lambda all_: all_["c"]["shutdown_reason"] == "crash")
            dom0.xl("destroy c")
        log = dom0.run("console-log c")
        assert "Hello from the example guest, with 4096 KiB of memory" in log and "guest panic: asked to crash" in log
        assert "guest panic: asked to crash" in dom0.run("console-log 2")
        assert "no console of a domain '1'" in dom0.run("console-log 1")[0]
        assert [line.split()[:3] for line in dom0.run("console-log")[1:]] == \
            [[str(domid), "c", "ended"] for domid in range(9, 1, -1)]
        dom0.poweroff()


def test_flood(machine, tmp_path):
    """Two that print as fast as they can: the shell and another's console answer, logs stay within their bounds."""
    flood = 'kernel = "/boot/hostile"\nmemory = 8\nextra = "console"\n'
    configs = {"quiet": example('name = "quiet"'), "f1": flood + 'name = "f1"', "f2": flood + 'name = "f2"'}
    with xl_machine(machine, tmp_path, configs, {"boot/hostile": HOSTILE}, memory="128M") as m:
        dom0 = Xl(m)
        for name in configs:
            dom0.xl(f"create {name}")
        dom0.attach("quiet", PROMPT)
        for i in range(5):
            m.send(f"echo turn {i}\r")
            m.expect(f"\nturn {i}\r")
        dom0.leave()
        # A lot has come and gone by then.
        while True:
            table = {line.split()[1]: line.split() for line in dom0.run("console-log")[1:]}
            if all(int(table[name][4]) > 100000 for name in ("f1", "f2")):
                break
        assert table["f1"][3] == table["f2"][3] == "32768" and int(table["quiet"][4]) < 1000
        # To look at one is to slow it down, not to lose the shell.
        dom0.attach("f1", "([A-Z])\\1{100}")
        dom0.leave()
        for name in configs:
            dom0.xl(f"destroy {name}")
        dom0.poweroff()
