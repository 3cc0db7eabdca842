# SPDX-License-Identifier: MIT
"""The store, at dom0's shell."""
import os
import re

from machine import BUILD
from shell import PROMPT, Shell
from xl import Xl, xl_machine

CTRL_C = "\x03"


def test_commands(machine):
    with machine(memory="128M") as m:
        shell = Shell(m)
        assert shell.run("xenstore-exists /t") == ["xenstore-exists: there is no /t"]
        assert shell.run("xenstore-write /t/a 1 /t/b/c 'two words' /t/b/d '\\x41\\n'") == []
        assert shell.run("xenstore-exists /t /t/b") == []
        assert shell.run("xenstore-read /t/a /t/b/c") == ["1", "two words"]
        assert shell.run("xenstore-read -p /t/b/d") == ["/t/b/d: A\\n"]
        assert shell.run("xenstore-list /t") == ["a", "b"]
        assert shell.run("xenstore-list -p /t/b") == ["/t/b/c", "/t/b/d"]
        assert shell.run("xenstore-ls /t") == ['a = "1"', 'b = ""', ' c = "two words"', ' d = "A\\n"']
        assert shell.run("xenstore-chmod -r /t/b n0 r5") == []
        assert shell.run("xenstore-ls -fp /t") == [
            '/t/a = "1"  (n0)', '/t/b = ""  (n0,r5)', '/t/b/c = "two words"  (n0,r5)', '/t/b/d = "A\\n"  (n0,r5)']
        # All or nothing: the second is no path.
        assert "could not write" in shell.run("xenstore-write /t/a 2 '/t/b c' 2")[0]
        assert shell.run("xenstore-read /t/a") == ["1"]
        assert shell.run("xenstore-rm /t/b/c") == []
        assert "could not read" in shell.run("xenstore-read /t/b/c")[0]
        assert "could not remove" in shell.run("xenstore-rm /t/b/c/none")[0]
        assert shell.run("xenstore-rm -t /t/b/d") == []
        assert shell.run("xenstore-ls /t") == ['a = "1"']
        assert "is no permission" in shell.run("xenstore-chmod /t x0")[0]
        assert "usage:" in shell.run("xenstore-write /t")[0]
        assert shell.run("xenstore-read /t/a") == ["1"]
        shell.poweroff()


def test_watch(machine):
    """Events of what is there at once; of others' changes once there is anybody else to make some."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        assert shell.run("xenstore-watch -n 2 /a @releaseDomain") == ["/a", "@releaseDomain"]
        m.send("xenstore-watch /a\r")
        m.expect(r"xenstore-watch /a\s*\n")
        m.expect(r"/a\s*\n")
        m.send(CTRL_C)
        m.expect(re.escape(PROMPT))
        assert shell.run("xenstore-exists /a") == ["xenstore-exists: there is no /a"]
        shell.poweroff()


def test_many_keys(machine):
    """Lists and values of more than one message, through a ring of 1 KiB; the store's own account of it."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        names = [f"{'n' * 100}{i:02}" for i in range(44)]
        for i in range(0, len(names), 4):
            assert shell.run("xenstore-write " + " ".join(f"/many/{name} {'v' * 5}" for name in names[i:i + 4])) == []
        assert shell.run("xenstore-write /long " + "v" * 450) == []
        assert shell.run("xenstore-read /long") == ["v" * 450]
        assert shell.run("xenstore-list /many") == names
        assert shell.run("xenstore-ls /many") == [f'{name} = "vvvvv"' for name in names]
        assert shell.run("xenstore-control check") == ["OK"]
        assert "nodes: 1000" in shell.run("xenstore-control quota")
        assert shell.run("xenstore-control nonsense") == ["xenstore-control: could not do nonsense: Invalid argument"]
        assert any("xenstored" in line for line in shell.run("threads"))
        shell.poweroff()


HOSTILE = os.path.join(BUILD, "tests/guests/hostile-domu")


def quota_of(dom0, domid):
    """What the store has of a domain: nodes, watches, ... to numbers."""
    return {key: int(value) for key, value in (line.split(": ") for line in dom0.run(f"xenstore-control quota {domid}"))}


def memory_of_all(dom0):
    return [line for line in dom0.run("xenstore-control memreport") if not line.startswith("watches")]


def test_hostile_domains(machine, tmp_path):
    """Two domains, one that floods the store, one that spoils its ring too: dom0 and a neighbour are served as ever,
    what the two have stays within their quotas, and nothing of it is left when they are gone."""
    configs = {name: f'name = "{name}"\nkernel = "/boot/hostile"\nmemory = 4\nextra = "{attacks}"\n'
               for name, attacks in (("flood", "store"), ("spoil", "store scribble-store"))}
    with xl_machine(machine, tmp_path, configs, {"boot/hostile": HOSTILE}, cpus=2, memory="256M") as m:
        dom0 = Xl(m)
        dom0.xl("create example")
        dom0.attach("example", r"example> ")
        dom0.leave()
        before = memory_of_all(dom0)
        domids = []
        for name in configs:
            dom0.xl(f"create {name}")
            domids += dom0.xl(f"domid {name}")
        # Until the flood has reached what it may have.
        dom0.wait_for("many nodes", lambda _: quota_of(dom0, domids[0])["nodes"] >= 300)
        for i in range(10):
            assert dom0.run(f"xenstore-write /own/{i} value") == []
            assert dom0.run(f"xenstore-read /own/{i}") == ["value"]
            for domid in domids:
                has = quota_of(dom0, domid)
                assert has["nodes"] <= 1020 and has["watches"] <= 128 and has["transactions"] <= 10, has
                assert has["outstanding"] <= 20 and has["memory"] <= 700_000, has
        assert dom0.run("xenstore-control check") == ["OK"]
        m.send("xl console example\r")
        m.send("store write data/x served\r")
        m.expect("example> ")
        m.send("store read data/x\r")
        m.expect("served")
        dom0.leave()
        (domid,) = dom0.xl("domid example")
        assert dom0.run(f"xenstore-rm /own /local/domain/{domid}/data/x") == []
        for name in configs:
            dom0.xl(f"destroy {name}")
        dom0.free_kib()
        assert memory_of_all(dom0) == before
        assert dom0.run("xenstore-control check") == ["OK"]
        dom0.xl("destroy example")
        dom0.poweroff()
