# SPDX-License-Identifier: MIT
"""Links of guests' interfaces taken down and up while they run: by a person, and with the bridge's uplink."""
import json
import os
import time
import urllib.error
import urllib.request

import pytest

import machine as machine_module
from test_vif import free_port, network_machine, start
from test_xl_linux import check_log
from xl import Xl, xl_machine

WEB_CFG = 'name = "web"\nkernel = "/boot/web"\nmemory = 8\nextra = "ip=10.0.2.15 gw=10.0.2.2"\nvif = [""]\n'
DOWN, UP = r"web: the link is down\r*\n", r"web: the link is up\r*\n"


def shown(dom0, command):
    """What a command of dom0's says as JSON."""
    return json.loads("\n".join(line for line in dom0.run(f"{command} --json") if not line.startswith("(CERNE) ")))


def wait_for(look, test):
    """Look until it is as it should be."""
    end = time.monotonic() + machine_module.PATIENCE
    while not test(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.2)
    return seen


def test_link(machine, tmp_path):
    """The web server's guest hears of its link; no packet passes without one; then the same with the bridge's uplink."""
    port = free_port()
    wire = ["-netdev", f"user,id=wire,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80", "-device", "e1000e,netdev=wire,id=card"]

    def page(timeout):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=timeout).read().decode()

    def node():
        return dom0.run("xenstore-read /local/domain/0/backend/vif/1/0/carrier")

    with xl_machine(machine, tmp_path, {"web": WEB_CFG}, {"boot/web": os.path.join(machine_module.BUILD, "web")}, qemu=wire) as m:
        dom0 = Xl(m)
        dom0.xl("create -q web")
        dom0.attach("web", r"web: http://10\.0\.2\.15/\r*\n", timeout=120)
        dom0.leave()
        assert "Hello" in page(60)
        assert node() == ["1"]
        assert dom0.run("vifs link web 0 down") == []
        assert [line.split()[1] for line in dom0.run("vifs")] == ["Link", "off"]
        (before,) = shown(dom0, "vifs")
        assert (before["connected"], before["link"], before["carrier"], before["taken_down"]) == (True, False, False, True)
        dom0.attach("web", DOWN)
        dom0.leave()
        with pytest.raises((urllib.error.URLError, OSError)):
            page(3)
        (after,) = shown(dom0, "vifs")
        assert all(after[way]["packets"] == before[way]["packets"] for way in ("sent", "received"))
        assert node() == ["0"]
        # By its address too.
        assert dom0.run(f"vifs link 1 {before['mac']} up") == []
        dom0.attach("web", UP)
        dom0.leave()
        assert "Hello" in page(60)

        # What the front half says of groups is followed too.
        for on in (True, False):
            dom0.run(f"xenstore-write /local/domain/1/device/vif/0/request-multicast-control {int(on)}")
            wait_for(lambda: shown(dom0, "vifs")[0], lambda vif, on=on: vif["multicast_control"] == on)

        # The cable is pulled out: not its own link, unless the bridge is to say so.
        dom0.run("ip 10.0.2.9/24 gw=10.0.2.2")
        m.qmp("set_link", name="card", up=False)
        wait_for(lambda: shown(dom0, "ip")["uplinks"], lambda uplinks: uplinks == [{"name": "net0", "link": False}])
        assert "uplink    net0, down" in dom0.run("ip")
        (bridge,) = shown(dom0, "bridges")
        assert {each["name"]: each["link"] for each in bridge["ports"]} == {"net0": False, "vif1.0": True, "dom0": True}
        assert node() == ["1"]
        assert dom0.run("bridges follow xenbr0 on") == []
        dom0.attach("web", DOWN)
        dom0.leave()
        assert node() == ["0"]
        # It is not up for being told so.
        dom0.run("vifs link web 0 up")
        assert not shown(dom0, "vifs")[0]["link"]
        m.qmp("set_link", name="card", up=True)
        dom0.attach("web", UP)
        dom0.leave()
        assert "Hello" in page(60)
        assert dom0.run("vifs link web 1 down") == ["vifs: web has no interface `1'; `xl network-list web' shows those that it has"]
        assert dom0.run("vifs link nobody 0 down") == ["vifs: nobody: there is no such domain; `xl list` shows those there are"]
        dom0.xl("shutdown -w web")
        m.send("poweroff\r")
        m.wait_off()


@pytest.mark.long
def test_link_linux(machine, tmp_path):
    """Linux's xen-netfront does not follow the node: its carrier stays. No packet passes, and with the link its neighbours are told."""
    with network_machine(machine, str(tmp_path), ["one", "two"], cpus=2, memory="1G") as m:
        dom0 = Xl(m)
        one, two = start(dom0, "one"), start(dom0, "two")
        for n, guest in enumerate((one, two), 1):
            guest.run(f"ifconfig eth0 10.0.0.{n} netmask 255.255.255.0 up")
        assert "0% packet loss" in one.run("ping -c 3 10.0.0.2", timeout=60)
        dom0.run("vifs link one 0 down")
        # Twice the ring: all that is sent is answered, so the driver does not stand still.
        one.run("arp -s 10.0.0.2 00:16:3e:00:00:02")
        assert "100% packet loss" in one.run("ping -c 600 -i 0.005 -W 1 10.0.0.2", timeout=60, ok=False)
        assert one.run("cat /sys/class/net/eth0/carrier").split()[0] == "1"
        seen = {vif["domid"]: vif for vif in shown(dom0, "vifs")}
        assert seen[1]["received"]["dropped"] >= 600
        two.run("arp -d 10.0.0.1", ok=False)
        dom0.run("vifs link one 0 up")
        wait_for(lambda: shown(dom0, "vifs")[0]["received"]["packets"], lambda packets: packets > seen[1]["received"]["packets"])
        assert "0% packet loss" in one.run("ping -c 3 10.0.0.2", timeout=60)
        check_log(one)
        check_log(two)
        m.send("poweroff\r")
        m.wait_off()
