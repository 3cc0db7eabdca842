# SPDX-License-Identifier: MIT
"""xl in dom0: a machine with a root of configurations and kernels, and what a person does there."""
import json
import os
import re
import subprocess
import time

import machine as machine_module
from shell import PROMPT, Shell

EXAMPLE = os.path.join(machine_module.BUILD, "example")
LEAVE = "\x1d"  # Ctrl-]

EXAMPLE_CFG = 'name = "example"\nkernel = "/boot/example"\nmemory = 8\n'


def make_root(folder, configs=None, files=None):
    """An archive with /etc/xl/NAME.cfg of `configs` (name to text) and `files` (name to file); returns its path."""
    entries = {"boot/example": EXAMPLE, **(files or {})}
    for name, text in {"example": EXAMPLE_CFG, **(configs or {})}.items():
        path = os.path.join(folder, name.replace("/", "_") + ".cfg")
        with open(path, "w") as f:
            f.write(text)
        entries[f"etc/xl/{name}.cfg"] = path
    root = os.path.join(folder, "root.cpio")
    subprocess.run([os.path.join(machine_module.TOP, "scripts/make-archive"), "-o", root,
                    *(f"{name}={file}" for name, file in entries.items())], check=True)
    return root


def xl_machine(make, folder, configs=None, files=None, cmdline="dom0_mem=64M", **arguments):
    """A machine (make: the fixture) whose dom0 has that root."""
    root = make_root(str(folder), configs, files)
    return make(cmdline, [(os.path.join(machine_module.BUILD, "dom0"), ""), (root, "")], **arguments)


class Xl(Shell):
    """dom0's shell with xl."""

    def xl(self, command, ok=True):
        """Run a subcommand; returns its lines. It must not complain, unless ok is False."""
        # Without what the watcher says meanwhile, on lines of its own.
        lines = [line for line in self.run(f"xl {command}") if not re.search(r"xl: \S+ \(domain \d+\) ", line)]
        if ok:
            bad = [line for line in lines if re.match(r"xl [a-z-]+: |.*invalid domain identifier", line)]
            assert not bad, "\n".join(lines)
        return lines

    def json(self, command):
        # The hypervisor may say something about a guest meanwhile.
        lines = [line for line in self.xl(command) if not line.startswith("(CERNE) ")]
        return json.loads("\n".join(lines))

    def domains(self):
        """Name to what `xl list` shows of it: a dict."""
        return {domain["name"]: domain for domain in self.json("list --json")}

    def wait_for(self, what, test, seconds=machine_module.PATIENCE):
        """Look at the domains until they are as they should be; nothing tells when a guest has done something."""
        end = time.monotonic() + seconds
        while True:
            domains = self.domains()
            if test(domains):
                return domains
            assert time.monotonic() < end, f"not {what}: {domains}"
            time.sleep(0.3)

    def free_kib(self):
        """The machine's free memory, when nothing of a domain that ended is left."""
        self.wait_for("settled", lambda all_: not any(domain["dying"] for domain in all_.values()))
        return self.json("info --json")["free_memory_kib"]

    def attach(self, domain, expect, timeout=machine_module.PATIENCE):
        """Attach to a console and wait for a text there."""
        self.machine.send(f"xl console {domain}\r")
        return self.machine.expect(expect, timeout=timeout)

    def leave(self):
        """Back from a console to the shell."""
        self.machine.send(LEAVE)
        self.machine.expect(re.escape(PROMPT))
