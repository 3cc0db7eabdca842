# SPDX-License-Identifier: MIT
"""The machine's devices as Linux finds them as the first domain: disks, network, screen, keyboard, clocks."""
import hashlib
import os
import random
import re
import socket
import threading
import time

import machine as machine_module
from linux import Linux, linux_machine
from test_linux import DISKS, check_disk, make_disk

PROBE = os.path.join(machine_module.BUILD, "tests/probe")
CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
NICS = {"virtio-net-pci": ("52:54:00:00:00:01", "10.0.2"), "e1000e": ("52:54:00:00:00:02", "10.0.3")}
FONT = (8, 16)  # Linux's on a screen of this size


class Echo(threading.Thread):
    """A server that reads all that a client sends, and then sends it back."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.received = []
        self.start()

    def run(self):
        while True:
            try:
                client = self.socket.accept()[0]
            except OSError:
                return
            with client:
                data = b"".join(iter(lambda: client.recv(65536), b""))
                self.received.append(data)
                client.sendall(data)

    def close(self):
        self.socket.close()


def check_network(linux, content):
    """A file goes out and comes back through each of the network cards."""
    echo = Echo()
    for mac, net in NICS.values():
        linux.run(f"nic=$(grep -l {mac} /sys/class/net/*/address | cut -d / -f 5); ip addr add {net}.15/24 dev $nic && "
                  "ip link set $nic up")
        said = linux.run(f"nc {net}.2 {echo.port} < /content | sha256sum")
        assert hashlib.sha256(content).hexdigest() in said
        assert echo.received.pop() == content
    echo.close()


def check_screen(machine, linux):
    """What Linux has in its framebuffer is what the screen shows, and text on it is text."""
    size = {name: linux.run(f"cat /sys/class/graphics/fb0/{name}").strip()
            for name in ("bits_per_pixel", "stride", "virtual_size")}
    bits, stride = int(size["bits_per_pixel"]), int(size["stride"])
    columns, rows = map(int, size["virtual_size"].split(","))
    # Clear the screen, hide the cursor, then text in the first row.
    linux.run("printf '\\033[2J\\033[H\\033[?25lHH LH' > /dev/tty1")
    linux.run(f"dd if=/dev/fb0 bs={stride} count={rows} 2>/dev/null | sha256sum > /tmp/screen")
    width, height, pixels = machine.screen()
    assert (width, height) == (columns, rows)
    shown = bytearray()
    for at in range(0, len(pixels), 3):
        shown += bytes((pixels[at + 2], pixels[at + 1], pixels[at])) + bytes(bits // 8 - 3)
    assert stride == width * bits // 8
    assert hashlib.sha256(shown).hexdigest() in linux.run("cat /tmp/screen")

    def cell(column):
        return b"".join(pixels[(row * width + column * FONT[0]) * 3:][:FONT[0] * 3] for row in range(FONT[1]))

    assert cell(0) == cell(1) == cell(4) and len({cell(0), cell(2), cell(3)}) == 3
    assert cell(2) == cell(7) and len(set(cell(2))) == 1


def check_keyboard(machine, linux):
    """Keys that are pressed reach who reads from the screen's terminal."""
    linux.run("((read line; echo \"read $line\" > /tmp/keys) < /dev/tty1 &)")
    for key in ("c", "e", "r", "n", "shift-e", "spc", "4", "ret"):
        machine.monitor(f"sendkey {key}")
        time.sleep(0.1)  # QEMU holds each key for that long
    assert "read cernE 4" in linux.run("while ! [ -s /tmp/keys ]; do usleep 20000; done; cat /tmp/keys")


def check_clocks(linux):
    """The RTC shows the host's time and can be set; the clocks are read without a system call."""
    read = "cat /sys/class/rtc/rtc0/since_epoch"
    before = int(time.time())
    assert before - 1 <= int(linux.run(read)) <= time.time() + 1
    linux.run("date -s @1900000000 && hwclock -w -u")
    assert 1900000000 <= int(linux.run(read)) <= 1900000100
    # Xen's own clock needs a CPU that promises a constant TSC, which the emulator's don't.
    assert linux.run(f"cat {CLOCKSOURCE}").strip() == "tsc"
    assert "100000 readings without a system call" in linux.run("probe vdso")


def test_linux_devices(machine, tmp_path):
    content = random.Random(2).randbytes(1 << 20)
    (tmp_path / "content").write_bytes(content)
    devices, disks, modules = [], {}, ["virtio_pci", "virtio_net", "e1000e"]
    for kind in ("ahci", "nvme"):  # virtio has a test of its own
        disks[kind], arguments = make_disk(tmp_path, kind)
        devices += arguments
        modules += DISKS[kind][1]
    for number, (model, (mac, net)) in enumerate(NICS.items()):
        devices += ["-netdev", f"user,id=n{number},net={net}.0/24,host={net}.2",
                    "-device", f"{model},netdev=n{number},mac={mac},romfile="]
    with linux_machine(machine, dict(cpu="Haswell", cpus=2, memory="768M", qemu=devices),
                       modules=modules, files={"bin/probe": PROBE, "content": tmp_path / "content"}) as m:
        linux = Linux(m)
        check_clocks(linux)
        check_keyboard(m, linux)
        check_screen(m, linux)
        check_network(linux, content)
        for kind, on_disk in disks.items():
            check_disk(linux, tmp_path, on_disk, kind)
        assert re.search(r"\bhvc0\b", linux.run("cat /proc/consoles"))
        linux.poweroff()
