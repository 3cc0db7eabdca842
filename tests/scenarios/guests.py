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
    twin: bool = False  # a further module is the guest itself (tests/guests/twin.h)
    crashes: str = ""  # what the console must say when the guest is meant to be killed
    long: bool = False
    uefi: bool = False

    @property
    def id(self):
        words = [self.name, self.arguments.replace(" ", "-"), f"{self.cpus}cpu" if self.cpus > 1 else "",
                 self.cpu if self.cpu != "Haswell" else "", "uefi" if self.uefi else ""]
        return "-".join(word for word in words if word)


# What the console says of a domain that the hypervisor ends: why, then its registers. The guests that are sent
# into the void put a number into rbx before they go.
KILLED = r"\(CERNE\) Domain 0 crashed: [^\n]*\n[^\n]*\n\(CERNE\) +rip "
VOID = KILLED + r"[^\n]*\n[^\n]*rbx 00001badb002cafe"

# Guests that are not for dom0's place: other tests create domains of them.
DOMU_GUESTS = {"hostile-disk", "hostile-domu"}

GUESTS = [
    Guest("console"),
    Guest("version"),
    Guest("sched"),
    Guest("sched", cpus=2),
    Guest("sched", arguments="bark", crashes=r"watchdog 1 is not fed[^\n]*\n[^\n]*Domain 0: its watchdog has run out"),
    Guest("events"),
    Guest("events", cpus=2),
    Guest("fifo"),
    Guest("fifo", cpus=2),
    Guest("traps"),
    Guest("callbacks"),
    Guest("iret"),
    Guest("segments"),
    Guest("user"),
    Guest("emulation"),
    Guest("emulation", cpu="EPYC", long=True),
    Guest("emulation", cpu="max", long=True),
    Guest("debugregs"),
    Guest("fpu", cpus=2),
    Guest("fpu", cmdline="dom0_max_vcpus=2", arguments="one-cpu"),
    Guest("fpu", cpus=2, cpu="max", long=True),
    Guest("assist"),
    Guest("pagetables"),
    Guest("pagetables", cpu="EPYC", long=True),
    Guest("memory"),
    Guest("multicall"),
    Guest("vcpu"),
    Guest("vcpu", cpus=2),
    Guest("vcpu", cpus=4),
    Guest("timers"),
    Guest("timers", cpus=4),
    Guest("platform"),
    Guest("efi"),
    Guest("efi", cpus=2, uefi=True),
    Guest("efi", "broken", uefi=True),
    Guest("efi", cpus=2, cpu="max", uefi=True, long=True),
    Guest("grants"),
    Guest("grants", "rounds=2000", cpus=2),
    # Four CPUs on two, each of whose flushes waits for all: few rounds.
    Guest("grants", "rounds=1000", cpus=4),
    Guest("grants", cpus=4, seconds=900, long=True),
    Guest("domctl", cmdline="dom0_mem=64M"),
    Guest("unprivileged", cmdline="dom0_mem=64M"),
    Guest("unprivileged", cmdline="dom0_mem=64M", cpus=2),
    Guest("domctl", cmdline="dom0_mem=64M", cpus=2),
    Guest("lifecycle", cmdline="dom0_mem=64M"),
    Guest("lifecycle", cmdline="dom0_mem=64M", cpus=2),
    Guest("lifecycle", cmdline="dom0_mem=64M", arguments="times=50 count=20", cpus=4),
    Guest("lifecycle", cmdline="dom0_mem=64M", arguments="times=1000 count=500", cpus=2, seconds=600, long=True),
    Guest("drivers"),
    Guest("dma"),
    Guest("foreign", cmdline="dom0_mem=64M,max:80M", twin=True),
    Guest("foreign", cmdline="dom0_mem=64M,max:80M", twin=True, cpus=2, seconds=200),
    Guest("foreign", "rounds=1000", cmdline="dom0_mem=64M,max:80M", twin=True, cpus=4, seconds=900, long=True),
    Guest("foreign", "megabytes=8192", cmdline="dom0_mem=64M,max:80M", twin=True, memory="16G", seconds=900, long=True),
    Guest("events-two", twin=True),
    Guest("events-two", twin=True, cpus=2, seconds=200),
    Guest("grants-two", twin=True),
    Guest("grants-two", twin=True, cpus=2, seconds=200),
    Guest("pirq"),
    Guest("pirq", cpus=2),
    Guest("threads"),
    Guest("threads", arguments="overflow", crashes=KILLED),
    Guest("smp-races", cpus=2),
    Guest("smp-races", cpus=4, arguments="rounds=1000", long=True, seconds=400),  # few, as above
    # The first domain may take all memory, if it is not told otherwise, and the audit needs some.
    *(Guest("hostile", arguments=f"seed={seed}", cmdline="dom0_mem=64M,max:72M", cpus=seed) for seed in (1, 2)),
    *(Guest("hostile", arguments=f"seed={seed} rounds=100000", cmdline="dom0_mem=64M,max:72M", long=True, seconds=400)
      for seed in range(3, 13)),
    Guest("iret", arguments="bad-stack", crashes=r"iret [^\n]*\n" + KILLED),
    Guest("iret", arguments="hypervisor-stack", crashes=r"iret [^\n]*\n" + KILLED),
    Guest("iret", arguments="no-user-root", crashes=r"iret [^\n]*\n" + KILLED),
    Guest("void", crashes=VOID),
    Guest("badstack", crashes=VOID),
    Guest("badstack", arguments="hypervisor", crashes=VOID),
    Guest("badstack", arguments="not-canonical", crashes=VOID),
    Guest("badstack", arguments="wrap", crashes=VOID),
    Guest("badstack", arguments="read-only", crashes=VOID),
    Guest("ptcorrupt", crashes=r"tries refused; unmapping the kernel\s+" + KILLED),
]
