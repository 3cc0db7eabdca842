# SPDX-License-Identifier: MIT
"""xl: domains made, seen, changed and ended from dom0's shell."""
import json
import re
import time

import pytest

from shell import PROMPT
from xl import Xl, xl_machine


def warm_up(dom0):
    """Free memory of the machine, once it holds what dom0 keeps for dealing with domains (ports, mappings)."""
    dom0.xl("create -q example")
    dom0.xl("destroy example")
    return dom0.free_kib()


def test_help_and_mistakes(machine, tmp_path):
    """What a person gets wrong is said in one sentence; every subcommand has help."""
    configs = {"bad": 'name = "bad"\nmemory = "lots"\n', "syntax": 'name = "x"\nmemory = = 3\n',
               "warn": 'name = "w"\nkernel = "/boot/example"\nfoo = 1\nacpi = 1\nvfb = [""]\n',
               "nokernel": 'name = "n"\nkernel = "/boot/none"\n', "text": 'name = "t"\nkernel = "/etc/xl/bad.cfg"\n',
               "huge": 'name = "huge"\nkernel = "/boot/example"\nmemory = 4000\n'}
    with xl_machine(machine, tmp_path, configs, memory="256M") as m:
        dom0 = Xl(m)
        verbs = [line.split()[0] for line in dom0.run("xl help --long") if line.startswith(" ")]
        assert {"create", "list", "info", "console", "pause", "unpause", "shutdown", "reboot", "destroy", "domid", "domname",
                "rename", "uptime", "vcpu-list", "mem-set", "mem-max", "dmesg", "top", "trigger", "sysrq", "debug-keys",
                "config-update", "vm-list", "dump-core"} <= set(verbs)
        for verb in verbs:
            assert dom0.run(f"xl {verb} --help")[0].startswith(f"Usage: xl {verb}"), verb
        for command, said in {
                "xl lst": "did you mean `xl list'", "xl list -x": "there is no option `-x'", "xl list nobody": "no such domain",
                "xl create": "requires at least 1 argument", "xl create none.cfg": "`none.cfg' cannot be read",
                "xl create bad": "/etc/xl/bad.cfg:2: memory: expected a number, found `lots'",
                "xl create syntax": "/etc/xl/syntax.cfg:2: expected a string in quotes, a number or a list after `=', found `= 3'",
                "xl create example memory=x": "command line:1: memory: expected a number, found `x'",
                "xl create nokernel": "/boot/none", "xl create text": "/etc/xl/bad.cfg", "xl destroy 0": "Not destroying domain 0",
                "xl create huge": "huge: it needs 4000 MiB", "xl mem-set 0 much": "invalid memory size `much'",
                "xl pause": "requires at least 1 argument", "xl domid nobody": "does not exist",
                "xl create example \"disk=['/a,qcow2,xvda']\"": "only raw",
                "xl create example \"vif=['mac=1']\"": "vif: mac: expected six",
                "xl block-attach 0 /a,,xvda": "has its devices by itself", "xl block-attach example": "requires at least 2",
                "xl cd-insert 0 hdc /a": "only HVM domains", "xl block-detach 0 xvda": "has its devices by itself"}.items():
            lines = dom0.run(command)
            assert any(said in line for line in lines), f"{command}: {lines}"
        warned = "\n".join(dom0.run("xl create -n warn"))
        for line, said in ((3, "unknown key `foo'"), (4, "acpi is not for PV guests"), (5, "vfb is not supported here")):
            assert f"warn.cfg:{line}: warning: {said}" in warned, warned
        assert list(dom0.domains()) == ["Domain-0"]
        dom0.poweroff()


def test_life(machine, tmp_path):
    """Create, look, pause, change, rename, end; afterwards all memory is back."""
    with xl_machine(machine, tmp_path, cpus=2, memory="256M") as m:
        dom0 = Xl(m)
        free = warm_up(dom0)
        dry = "\n".join(line for line in dom0.xl("create -n example") if not line.startswith("Parsing"))
        assert json.loads(dry)["config"]["b_info"]["target_memkb"] == 8192
        dom0.xl("create -p example")
        domains = dom0.domains()
        assert domains["example"]["paused"] and domains["example"]["memory_kib"] <= 8192
        assert re.fullmatch(r"example +\d+ +8 +1 +--p--- +0\.\d", dom0.xl("list example")[1])
        assert dom0.xl("list")[0] == "Name                                        ID   Mem VCPUs\tState\tTime(s)"
        dom0.xl("unpause example")
        dom0.attach("example", r"store: this is domain \d+\r")
        m.send("echo one two\r")
        m.expect(r"\none two\r")
        dom0.leave()
        (domid,) = dom0.xl("domid example")
        assert dom0.xl(f"domname {domid}") == ["example"]
        dom0.wait_for("blocked", lambda all_: all_["example"]["state"] == "-b----")
        dom0.xl(f"pause {domid}")
        dom0.wait_for("paused", lambda all_: all_["example"]["paused"])
        dom0.xl(f"unpause {domid}")
        assert "already exists" in "\n".join(dom0.run("xl create example"))
        # As docs/porting.md says.
        dom0.xl("create example name=small memory=4")
        dom0.attach("small", r"store: this is domain \d+\r")
        dom0.leave()
        dom0.xl("destroy small")
        # With the machine's clock: what is given is given back, too (the audit, and free memory).
        dom0.xl('''create example name=second 'memory=6;irqs=[8];ioports=["70-71"];iomem=["fed00,1"]' ''')
        assert "irqs: line 99 cannot be given" in "\n".join(dom0.run("xl create example name=third 'irqs=[99]'"))
        second = dom0.domains()["second"]["domid"]
        assert second != int(dom0.xl("domid example")[0])
        assert "already" in dom0.xl("rename second example", ok=False)[0]
        dom0.xl("rename second other")
        long = {entry["config"]["c_info"]["name"]: entry["config"] for entry in dom0.json("list -l")}
        assert set(long) == {"Domain-0", "example", "other"}
        assert long["other"]["b_info"]["kernel"] == "/boot/example" and long["other"]["on_reboot"] == "restart"
        uuids = {entry["name"]: entry["uuid"] for entry in dom0.json("vm-list --json")}
        assert uuids["other"] == long["other"]["c_info"]["uuid"] and len(set(uuids.values())) == 2
        assert {(v["name"], v["vcpu"]) for v in dom0.json("vcpu-list --json")} >= {("example", 0), ("other", 0)}
        assert len(dom0.xl("uptime")) == 4
        dom0.xl("destroy other")
        dom0.xl("shutdown -w example")
        dom0.wait_for("gone", lambda all_: list(all_) == ["Domain-0"])
        assert dom0.free_kib() == free
        dom0.poweroff()


def test_ends(machine, tmp_path):
    """A domain that ends is dealt with as its configuration says."""
    with xl_machine(machine, tmp_path, cpus=2, memory="256M") as m:
        dom0 = Xl(m)
        free = warm_up(dom0)

        def end(name, how, settings=""):
            """A domain ends from inside. Its console ends with it, and is left by Ctrl-] when it is kept."""
            dom0.xl(f"create example name={name} {settings}")
            dom0.attach(name, r"store: this is domain (\d+)\r")
            m.send(f"{how}\r")
            action = m.expect(rf"xl: {name} \(domain \d+\) [a-z ]+: ([a-z-]+)\r").group(1)
            if action in ("preserve", "rename-restart"):
                dom0.leave()
            else:
                m.expect(re.escape(PROMPT))

        end("off", "poweroff")
        dom0.wait_for("gone", lambda all_: "off" not in all_)
        end("kept", "crash", "on_crash=preserve")
        kept = dom0.wait_for("kept", lambda all_: all_["kept"]["state"] == "---sc-")["kept"]
        assert kept["shutdown_reason"] == "crash"
        dom0.xl("destroy kept")
        end("again", "reboot")
        first = dom0.wait_for("restarted", lambda all_: "again" in all_ and not all_["again"]["shutdown"])["again"]
        dom0.xl("reboot again")
        second = dom0.wait_for("restarted", lambda all_: "again" in all_ and not all_["again"]["shutdown"] and
                               all_["again"]["domid"] != first["domid"])["again"]
        assert second["uuid"] == first["uuid"]
        dom0.xl("destroy again")
        end("twin", "crash", "on_crash=rename-restart")
        both = dom0.wait_for("both", lambda all_: "twin" in all_ and any(name.startswith("twin-2") for name in all_))
        (old,) = [name for name in both if name.startswith("twin-2")]
        assert both[old]["state"] == "---sc-" and both[old]["uuid"] != both["twin"]["uuid"]
        dom0.xl(f"destroy {old}")
        dom0.xl("destroy twin")
        end("dump", "crash", "on_crash=coredump-destroy")
        dom0.wait_for("gone", lambda all_: "dump" not in all_)
        (core,) = dom0.json("dump-core --json")
        assert core["name"].startswith("dump-2") and core["pages"] > 20 and core["pages_left_out"] == 0
        dom0.wait_for("alone", lambda all_: list(all_) == ["Domain-0"])
        assert dom0.free_kib() == free
        dom0.poweroff()


def test_message_at_prompt(machine, tmp_path):
    """What the watcher says while a line is being typed leaves the line whole."""
    with xl_machine(machine, tmp_path, memory="256M") as m:
        dom0 = Xl(m)
        dom0.xl("create -p example extra=crash")
        m.send("xl unpause example\recho half")
        m.expect(r"xl: example \(domain \d+\) has crashed: destroy\s+cerne# echo half")
        m.send(" whole\r")
        m.expect(r"\nhalf whole\r")
        dom0.wait_for("gone", lambda all_: list(all_) == ["Domain-0"])
        dom0.poweroff()


def test_autostart(machine, tmp_path):
    """What is in /etc/xl/auto is created at boot, in order; what fails does not stop the rest. Nor does xl.conf."""
    configs = {"auto/10-first": 'name = "first"\nkernel = "/boot/example"\nmemory = 8\n',
               "auto/20-broken": 'name = "broken"\nkernel = \n',
               "auto/30-second": 'name = "second"\nkernel = "/boot/example"\nmemory = 8\n'}
    host = tmp_path / "xl.conf"
    host.write_text('vm.cpumask = "1"\nclaim_mode = "no"\nlockfile = "/var/lock/xl"\n')
    with xl_machine(machine, tmp_path, configs, {"etc/xl/xl.conf": str(host)}, cpus=2, memory="256M") as m:
        m.expect(r"xl.conf:2: claim_mode: expected a number")
        m.expect(r"xl.conf:3: warning: lockfile is not supported")
        m.expect(r"xl: started first \(domain 1\)")
        m.expect(r"20-broken.cfg:2: expected a string in quotes[^\n]*\n[^\n]*xl: [^\n]*20-broken.cfg was not started")
        m.expect(r"xl: started second \(domain 2\)")
        dom0 = Xl(m)
        assert list(dom0.domains()) == ["Domain-0", "first", "second"]
        assert dom0.xl("claims")[0].endswith("Claimed") and re.search(r"first +1 +8 .* 0$", dom0.xl("claims")[2])
        dom0.xl("shutdown -a -w")
        dom0.wait_for("alone", lambda all_: list(all_) == ["Domain-0"])
        dom0.poweroff()


def test_top(machine, tmp_path):
    with xl_machine(machine, tmp_path, memory="256M") as m:
        dom0 = Xl(m)
        dom0.xl("create example")
        m.send("xl top\r")
        m.expect(r"xentop - [\d:]+ +Xen 4\.17")
        m.expect(r"\bexample [-r][-b]----")
        m.expect(r"xentop - ")  # the next screen comes by itself
        m.send("q")
        m.expect("cerne# ")
        screens = "\n".join(dom0.xl("top -b -i 2 -d 1"))
        assert screens.count("xentop - ") == 2
        dom0.xl("destroy example")
        dom0.poweroff()


@pytest.mark.parametrize("rounds", [pytest.param(1000, marks=pytest.mark.long), 30])
def test_create_destroy(machine, tmp_path, rounds):
    """No byte is lost, neither in the hypervisor nor in dom0."""
    with xl_machine(machine, tmp_path, memory="256M") as m:
        dom0 = Xl(m)

        def used():
            """Bytes that dom0's programs have allocated."""
            (line,) = [line for line in dom0.run("free") if "allocated" in line]
            allocated = int(re.search(r"(\d+) bytes", line).group(1))
            assert 10_000 < allocated < 10_000_000, allocated
            return allocated

        def once():
            dom0.xl("create -q example")
            dom0.xl("destroy example")

        # The console daemon keeps the logs of the last domains.
        warm_up(dom0)
        for _ in range(12):
            once()
        free = dom0.free_kib()
        # A table may grow once; what is lost with each domain shows every time.
        for _ in range(3):
            before = used()
            for _ in range(rounds):
                once()
            assert dom0.free_kib() == free
            # The daemons may have a last thing to free.
            end = time.monotonic() + 20
            while used() > before and time.monotonic() < end:
                time.sleep(0.5)
            if used() <= before:
                break
        assert used() <= before
        dom0.poweroff()


@pytest.mark.parametrize("count", [pytest.param(100, marks=pytest.mark.long), 20])
def test_many(machine, tmp_path, count):
    """Many domains at once, each with its console and its place in the store; idle ones cost nothing."""
    with xl_machine(machine, tmp_path, cpus=2, memory="2G" if count > 50 else "512M") as m:
        dom0 = Xl(m)
        # As many event channels and mappings as dom0 will ever need here.
        for n in range(count):
            dom0.xl(f"create -q -p example name=n{n} memory=8")
        for n in range(count):
            dom0.xl(f"destroy n{n}")
        free = dom0.free_kib()
        for n in range(count):
            dom0.xl(f"create -q example name=n{n} memory=8")
        domains = dom0.wait_for("all idle", lambda all_: all(all_[f"n{n}"]["state"] == "-b----" for n in range(count)),
                                seconds=300)
        assert len(domains) == count + 1
        times = {name: domain["cpu_seconds"] for name, domain in domains.items() if name != "Domain-0"}
        for n in (0, count // 2, count - 1):
            dom0.attach(f"n{n}", r"store: this is domain (\d+)\r")
            m.send("echo here\r")
            m.expect(r"\nhere\r")
            dom0.leave()
        after = dom0.domains()
        assert all(after[f"n{n}"]["cpu_seconds"] == times[f"n{n}"] for n in range(1, count - 1) if n != count // 2)
        for n in range(count):
            dom0.xl(f"destroy n{n}")
        assert dom0.free_kib() == free
        dom0.poweroff()
