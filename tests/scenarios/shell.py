# SPDX-License-Identifier: MIT
"""A session with dom0's shell."""
import re

PROMPT = "cerne# "


class Shell:
    """Types commands into a machine whose dom0 shows its prompt, and reads what they print."""

    def __init__(self, machine):
        self.machine = machine
        machine.expect(re.escape(PROMPT))

    def run(self, command):
        """Type a command; returns the lines that it printed."""
        self.machine.send(command + "\r")
        return self.result(command)

    def result(self, command):
        """What came between the echo of a command that has been entered and the next prompt."""
        self.machine.expect(re.escape(command) + r"\s*\r\n")
        self.machine.expect(re.escape(PROMPT))
        return [line.rstrip() for line in self.machine.child.before.replace("\r", "").split("\n") if line.strip()]

    def poweroff(self):
        self.machine.send("poweroff\r")
        self.machine.wait_off()
