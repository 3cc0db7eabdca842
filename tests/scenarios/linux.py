# SPDX-License-Identifier: MIT
"""Debian's own Linux as the first domain: its kernel, the initrd of scripts/make-initrd with a few modules, its shell.

The packages' files are under third-party/debian (scripts/fetch-package), as they are shipped.
"""
import functools
import glob
import os
import re
import subprocess
import tempfile

import machine as machine_module

DEBIAN = os.path.join(machine_module.TOP, os.environ.get("THIRD_PARTY", "build/third-party"), "debian")
PROMPT = "/ # "

# What kernel and hypervisor say when something is wrong or missing.
BAD = re.compile(r"^.*(?:\bBUG\b|\bOops\b|WARNING: CPU|Call Trace|general protection|xen map irq failed|"
                 r"nobody cared|soft lockup|blocked for more|unable to handle|"
                 r"xen_mcelog: Failed|mce: Unable|is not implemented|INSMOD FAILED).*$", re.M)


@functools.cache
def kernel(package="linux-image-amd64"):
    """The kernel image as Debian ships it."""
    (found,) = glob.glob(os.path.join(DEBIAN, package, "boot/vmlinuz-*"))
    return found


@functools.cache
def module_files():
    """Name of a module, with _, to its file."""
    files = glob.glob(os.path.join(DEBIAN, "linux-image-amd64/lib/modules/*/kernel/**/*.ko"), recursive=True)
    return {os.path.basename(file)[:-3].replace("-", "_"): file for file in files}


def with_dependencies(names):
    """Modules in the order in which they have to be loaded (what depmod and modprobe would work out)."""
    order = []

    def add(name):
        name = name.replace("-", "_")
        if name in order:
            return
        with open(module_files()[name], "rb") as f:
            found = re.search(rb"\0depends=([^\0]*)\0", f.read())
        for needed in found.group(1).decode().split(",") if found and found.group(1) else []:
            add(needed)
        order.append(name)

    for name in names:
        add(name)
    return order


def package_program(package, path, folder, instead=None):
    """A program of a package with the shared libraries that it needs, as extra files for an initrd: name, file.

    The libraries come from other packages under third-party/debian; `folder` is where the program finds itself;
    instead: libraries that are to be taken from elsewhere, name to file.
    """
    program = os.path.join(DEBIAN, package, path)
    libraries = {}
    for file in glob.glob(os.path.join(DEBIAN, "lib*/**/*.so*"), recursive=True) + \
            glob.glob(os.path.join(DEBIAN, "zlib1g/**/*.so*"), recursive=True):
        libraries.setdefault(os.path.basename(file), file)
    libraries.update(instead or {})
    files = {f"{folder}/{os.path.basename(path)}": program}
    todo = [program]
    while todo:
        dynamic = subprocess.run(["readelf", "-d", "-l", todo.pop()], check=True, capture_output=True, text=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]|interpreter: /lib64/(.*)\]", dynamic):
            name = "".join(name)
            target = f"lib64/{name}" if name.startswith("ld-") else f"lib/{name}"
            if target not in files:
                files[target] = libraries[name]
                todo.append(libraries[name])
    return files


def make_initrd(file, modules=(), files=None):
    """Write an initrd that loads some modules and ends in a shell; files: more of them, name to source."""
    order = with_dependencies(modules)
    entries = [f"{name}={source}" for name, source in (files or {}).items()]
    entries += [f"lib/{name}.ko={module_files()[name]}" for name in order]
    with tempfile.NamedTemporaryFile("w") as names:
        names.write("\n".join(order))
        names.flush()
        subprocess.run([os.path.join(machine_module.TOP, "scripts/make-initrd"), "-o", file,
                        os.path.join(DEBIAN, "busybox-static/bin/busybox"), *entries, f"modules={names.name}"],
                       check=True)


class Linux:
    """A session with the shell of a Linux that is starting in a machine."""

    ready, prompt = r"INIT REACHED", PROMPT

    def __init__(self, machine, seconds=machine_module.BOOT):
        self.machine = machine
        machine.expect(self.ready, timeout=seconds)
        machine.expect(re.escape(self.prompt))

    def run(self, command, timeout=machine_module.PATIENCE, ok=True):
        """Run a command; returns its output, and checks that it succeeds."""
        # The echo of this line differs from what it prints, so the marks are the command's own.
        self.machine.send(f"echo '<''<<'; {command}; echo \">\"\">>$?\"\r")
        self.machine.expect(r"(?<!')<<<\r*\n", timeout=timeout)
        status = self.machine.expect(r">>>(\d+)\r*\n", timeout=timeout).group(1)
        output = self.machine.child.before.replace("\r", "")
        self.machine.expect(re.escape(self.prompt))
        if ok:
            assert status == "0", f"{command}: status {status}: {output}"
        return output

    def check_log(self):
        """Neither the kernel nor the hypervisor complained so far."""
        found = BAD.findall(self.machine.output())
        assert not found, "\n".join(found)

    def poweroff(self):
        self.machine.send("poweroff -f\r")
        self.machine.wait_off()
        self.check_log()
        assert "reboot: Power down" in self.machine.output(), "Linux did not find the machine's power switch"


def linux_machine(make, machine_args, arguments="", modules=(), cmdline="", memory="dom0_mem=384M", files=None):
    """A machine whose first domain is this Linux; make: the fixture `machine`."""
    os.makedirs(os.path.join(machine_module.BUILD, "scenarios"), exist_ok=True)
    initrd = os.path.join(machine_module.BUILD, "scenarios", f"initrd-{os.getpid()}.gz")
    make_initrd(initrd, modules, files)
    try:
        return make(cmdline=f"{memory} {cmdline}".strip(),
                    modules=[(kernel(), f"console=hvc0 {arguments}".strip()), (initrd, "")], **machine_args)
    finally:
        os.remove(initrd)
