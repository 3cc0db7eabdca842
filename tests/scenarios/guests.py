# SPDX-License-Identifier: MIT
"""The test guests: which machine each runs on, with which arguments, and for how long at most."""
import dataclasses


@dataclasses.dataclass
class Guest:
    """One way to run the test guest tests/guests/NAME."""

    name: str
    arguments: str = ""
    cmdline: str = ""
    cpus: int = 1
    memory: str = "128M"
    cpu: str = "Haswell"
    seconds: int = 120
    modules: tuple = ()  # further modules: (text of the module, its arguments)
    crashes: str = ""  # what the console must say when the guest is meant to be killed
    long: bool = False

    @property
    def id(self):
        words = [self.name, self.arguments.replace(" ", "-"), f"{self.cpus}cpu" if self.cpus > 1 else "",
                 self.cpu if self.cpu != "Haswell" else ""]
        return "-".join(word for word in words if word)


GUESTS = [
]
