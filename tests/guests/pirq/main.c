/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices, of those that every q35 machine of QEMU has: the keyboard controller and the clock
 * (edges), the ACPI timer (a level-triggered line), the SATA controller (MSI).
 */
#include "../test.h"

#define KEYBOARD 1
#define CLOCK	 8
#define SCI	 9
#define SATA	 0xfa /* 0:1f.2 */
#define BRIDGE	 0xf8 /* 0:1f.0 */

static volatile unsigned int fired;

static void on_event(evtchn_port_t port, void *data)
{
	fired++;
}

static long physdev(int op, void *argument)
{
	return hypercall_physdev_op(op, argument);
}

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static uint32_t config_read(unsigned int devfn, unsigned int reg)
{
	outl(0xcf8, 0x80000000u | devfn << 8 | reg);
	return inl(0xcfc);
}

static void config_write(unsigned int devfn, unsigned int reg, uint32_t value)
{
	outl(0xcf8, 0x80000000u | devfn << 8 | reg);
	outl(0xcfc, value);
}

static long map(int index, int *pirq)
{
	struct physdev_map_pirq op = {
	    .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = index, .pirq = *pirq};
	long error = physdev(PHYSDEVOP_map_pirq, &op);

	*pirq = op.pirq;
	return error;
}

static long map_as(int index, int pirq)
{
	return map(index, &pirq);
}

static long map_msi(int type, int bus, int devfn, int entries, int *pirq)
{
	struct physdev_map_pirq op = {.domid = DOMID_SELF,
				      .type = type,
				      .index = -1,
				      .pirq = -1,
				      .bus = bus,
				      .devfn = devfn,
				      .entry_nr = entries};
	long error = physdev(PHYSDEVOP_map_pirq, &op);

	*pirq = op.pirq;
	return error;
}

static long unmap(int pirq)
{
	struct physdev_unmap_pirq op = {.domid = DOMID_SELF, .pirq = pirq};

	return physdev(PHYSDEVOP_unmap_pirq, &op);
}

static long setup_gsi(int gsi, int level, int low)
{
	struct physdev_setup_gsi op = {
	    .gsi = gsi, .triggering = (uint8_t)level, .polarity = (uint8_t)low};

	return physdev(PHYSDEVOP_setup_gsi, &op);
}

static long eoi(unsigned int pirq)
{
	struct physdev_eoi op = {.irq = pirq};

	return physdev(PHYSDEVOP_eoi, &op);
}

static long bind(unsigned int pirq, evtchn_port_t *port)
{
	struct evtchn_bind_pirq op = {.pirq = pirq, .flags = BIND_PIRQ__WILL_SHARE};
	long error = hypercall_event_channel_op(EVTCHNOP_bind_pirq, &op);

	*port = op.port;
	return error;
}

/* Bound, handled, and let through. */
static evtchn_port_t listen(unsigned int pirq)
{
	evtchn_port_t port = 0;

	EXPECT(bind(pirq, &port), 0);
	fired = 0;
	event_handler_set(port, on_event, NULL);
	event_unmask(port);
	eoi(pirq);
	return port;
}

static bool came(void)
{
	bool result = test_wait(&fired);

	fired = 0;
	return result;
}

/* For some milliseconds, in which an interrupt that is due would have come. */
static bool quiet(void)
{
	uint64_t end = clock_now() + 20000000;

	while (clock_now() < end && !fired)
		hypercall_sched_op(SCHEDOP_yield, NULL);
	return !fired;
}

/* ---- numbers ---- */

static void numbers(void)
{
	evtchn_port_t port;
	int pirq = -1;

	EXPECT(bind(19, &port), -EPERM);
	EXPECT(bind(100000, &port), -EINVAL);
	EXPECT(bind(~0u, &port), -EINVAL);
	EXPECT(map_as(0, 0), -EPERM);
	EXPECT(map_as(-1, 5), -EINVAL);
	EXPECT(map_as(-5, 5), -EINVAL);
	EXPECT(map_as(200, 200), -EINVAL);
	EXPECT(map_as(19, 100000), -EINVAL);
	/* The first free number beyond those of the old interrupts, which is not the line's. */
	EXPECT(map(19, &pirq), 0);
	EXPECT(pirq, 16);
	EXPECT(map_as(19, 16), 0);
	EXPECT(map_as(19, 20), -EEXIST);
	EXPECT(bind(16, &port), 0);
	EXPECT(bind(16, &port), -EEXIST);
	EXPECT(unmap(16), 0);
	EXPECT(unmap(16), -EINVAL);
	EXPECT(unmap(-1), -EINVAL);
	EXPECT(unmap(1 << 30), -EINVAL);
	EXPECT(eoi(18), -EINVAL);
	EXPECT(eoi(100000), -EINVAL);
	hypercall_event_channel_op(EVTCHNOP_reset, &(struct evtchn_reset){.dom = DOMID_SELF});
}

static void modes(void)
{
	EXPECT(setup_gsi(17, 1, 1), 0);
	EXPECT(setup_gsi(17, 1, 1), -EEXIST);
	EXPECT(setup_gsi(17, 0, 0), -EEXIST);
	EXPECT(setup_gsi(0, 0, 0), -EEXIST);
	EXPECT(setup_gsi(24, 1, 1), -EINVAL);
	EXPECT(setup_gsi(-1, 1, 1), -EINVAL);
}

static void queries(void)
{
	struct physdev_irq_status_query query = {.irq = 17};
	struct physdev_get_free_pirq free = {.type = MAP_PIRQ_TYPE_GSI};
	struct physdev_irq vector = {.irq = 11};

	EXPECT(physdev(PHYSDEVOP_irq_status_query, &query), 0);
	EXPECT(query.flags, XENIRQSTAT_needs_eoi);
	query.irq = 100000;
	EXPECT(physdev(PHYSDEVOP_irq_status_query, &query), -EINVAL);
	EXPECT(physdev(PHYSDEVOP_get_free_pirq, &free), 0);
	EXPECT(free.pirq, 16);
	free.type = MAP_PIRQ_TYPE_MSI;
	EXPECT(physdev(PHYSDEVOP_get_free_pirq, &free), 0);
	EXPECT_TRUE(free.pirq >= 24);
	EXPECT(physdev(PHYSDEVOP_alloc_irq_vector, &vector), 0);
	EXPECT(vector.vector, 11);
}

/* ---- edges ---- */

static void keyboard_ready(void)
{
	while (inb(0x64) & 2)
		cpu_relax();
}

/* A byte as if a key had been pressed (8042, command 0xd2), after what is there was read. */
static void press(void)
{
	while (inb(0x64) & 1)
		inb(0x60);
	keyboard_ready();
	outb(0x64, 0xd2);
	keyboard_ready();
	outb(0x60, 0x1c);
}

static void edge(void)
{
	struct evtchn_status status = {.dom = DOMID_SELF};
	struct evtchn_send send;
	evtchn_port_t port;

	setup_gsi(KEYBOARD, 0, 0);
	EXPECT(map_as(KEYBOARD, KEYBOARD), 0);
	port = listen(KEYBOARD);
	/* The controller's mode: an interrupt for each byte. */
	keyboard_ready();
	outb(0x64, 0x60);
	keyboard_ready();
	outb(0x60, 0x41);
	for (unsigned int i = 0; i < 100; i++) {
		press();
		EXPECT_TRUE(came());
		eoi(KEYBOARD);
	}
	status.port = port;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_status, &status), 0);
	EXPECT(status.status, EVTCHNSTAT_pirq);
	EXPECT(status.u.pirq, KEYBOARD);
	send.port = port;
	EXPECT(hypercall_event_channel_op(EVTCHNOP_send, &send), -EINVAL);
	/* A masked channel keeps its event. */
	event_mask(port);
	press();
	EXPECT_TRUE(quiet());
	event_unmask(port);
	EXPECT_TRUE(came());
	EXPECT(event_close(port), 0);
	press();
	EXPECT_TRUE(quiet());
	port = listen(KEYBOARD);
	press();
	EXPECT_TRUE(came());
	EXPECT(event_close(port), 0);
	while (inb(0x64) & 1)
		inb(0x60);
}

static uint8_t clock_read(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static void clock_write(uint8_t reg, uint8_t value)
{
	outb(0x70, reg);
	outb(0x71, value);
}

static void periodic(void)
{
	uint8_t b = clock_read(0xb);
	evtchn_port_t port;

	setup_gsi(CLOCK, 0, 0);
	EXPECT(map_as(CLOCK, CLOCK), 0);
	port = listen(CLOCK);
	clock_write(0xa, (clock_read(0xa) & 0xf0) | 9); /* 128 a second */
	clock_write(0xb, b | 0x40);
	clock_read(0xc);
	for (unsigned int i = 0; i < 20; i++) {
		EXPECT_TRUE(came());
		clock_read(0xc);
		eoi(CLOCK);
	}
	clock_write(0xb, b);
	clock_read(0xc);
	EXPECT(event_close(port), 0);
}

/* ---- a level ---- */

/* The power management timer's overflow, each 2.3 seconds, raises the SCI until its status is cleared. */
static void level(void)
{
	uint16_t pm = (uint16_t)(config_read(BRIDGE, 0x40) & 0xff80);
	evtchn_port_t port;

	if (!pm) {
		test_skip("no power management registers");
		return;
	}
	EXPECT_TRUE(setup_gsi(SCI, 1, 0) == 0 || setup_gsi(SCI, 1, 0) == -EEXIST);
	EXPECT(map_as(SCI, SCI), 0);
	outw(pm, 0xffff);
	port = listen(SCI);
	outw(pm + 2, 1);
	EXPECT_TRUE(came() || came() || came());
	/* Nothing more before the answer, although the line is active; after it at once. (Xen waits for the answer
	 * for a millisecond.) */
	if (test_on_cerne())
		EXPECT_TRUE(quiet());
	EXPECT(eoi(SCI), 0);
	EXPECT_TRUE(came());
	outw(pm + 2, 0);
	outw(pm, 0xffff);
	EXPECT(eoi(SCI), 0);
	EXPECT_TRUE(quiet());
	EXPECT(event_close(port), 0);
}

/* ---- messages ---- */

static volatile uint32_t *sata; /* its registers */

/* Port 2 has the CD: a reset of the link makes it send its signature, for which there is an interrupt. */
#define PORT(reg) sata[(0x100 + 2 * 0x80 + (reg)) / 4]

static void sata_start(void *fis)
{
	PORT(0x08) = (uint32_t)virt_to_machine(fis);
	PORT(0x0c) = (uint32_t)(virt_to_machine(fis) >> 32);
	PORT(0x10) = ~0u;
	PORT(0x14) = 1;
	PORT(0x18) = PORT(0x18) | 0x10;
	sata[2] = ~0u;
	sata[1] = 0x80000002;
}

static void sata_signal(void)
{
	PORT(0x10) = ~0u;
	sata[2] = ~0u;
	PORT(0x2c) = 1;
	PORT(0x2c) = 0;
}

static void message(void)
{
	struct physdev_pci_device_add add = {.bus = 0, .devfn = SATA};
	struct physdev_pci_device remove = {.bus = 0, .devfn = SATA};
	unsigned int msi = config_read(SATA, 0x34) & 0xfc;
	uint32_t command = config_read(SATA, 4) & 0xffff;
	evtchn_port_t port;
	void *fis = page_alloc();
	int pirq, other;

	if (config_read(SATA, 0) != 0x29228086 || (config_read(SATA, msi) & 0xff) != 5) {
		test_skip("no such SATA controller");
		return;
	}
	EXPECT(map_msi(MAP_PIRQ_TYPE_MSI, 0, SATA, 0, &pirq), -ENODEV);
	EXPECT(physdev(PHYSDEVOP_pci_device_add, &add), 0);
	EXPECT(map_msi(MAP_PIRQ_TYPE_MSI, 0, 0x77, 0, &pirq), -ENODEV);
	EXPECT(map_msi(MAP_PIRQ_TYPE_MSI_SEG, 1 << 16, SATA, 0, &pirq), -ENODEV);
	EXPECT(map_msi(MAP_PIRQ_TYPE_MULTI_MSI, 0, SATA, 2, &pirq), -EOPNOTSUPP);
	EXPECT(map_msi(MAP_PIRQ_TYPE_MSI_SEG, 0, SATA, 0, &pirq), 0);
	EXPECT_TRUE(pirq >= 24);
	port = listen((unsigned int)pirq);
	sata = frames_map(config_read(SATA, 0x24) >> 12, 1, PTE_DATA | PTE_PCD, DOMID_SELF, NULL);
	EXPECT_TRUE(sata != NULL);
	if (sata) {
		/* Memory and bus master on, the legacy line off, MSI on. */
		config_write(SATA, 4, command | 0x406);
		config_write(SATA, msi, config_read(SATA, msi) | 0x10000);
		sata_start(fis);
		for (unsigned int i = 0; i < 20; i++) {
			sata_signal();
			EXPECT_TRUE(came());
			eoi((unsigned int)pirq);
		}
		sata[1] = 0x80000000;
		PORT(0x18) = PORT(0x18) & ~0x10u;
		config_write(SATA, msi, config_read(SATA, msi) & ~0x10000u);
		config_write(SATA, 4, command);
		frames_unmap((void *)sata, 1);
	}
	EXPECT(event_close(port), 0);
	EXPECT(unmap(pirq), 0);
	EXPECT(unmap(pirq), -EINVAL);
	EXPECT(map_msi(MAP_PIRQ_TYPE_MSI, 0, SATA, 0, &other), 0);
	EXPECT(other, pirq);
	EXPECT(unmap(other), 0);
	EXPECT(physdev(PHYSDEVOP_pci_device_remove, &remove), 0);
	EXPECT(physdev(PHYSDEVOP_pci_device_remove, &remove), -ENODEV);
	page_free(fis);
}

/* ---- the page of answers ---- */

static void eoi_page(void)
{
	struct physdev_pirq_eoi_gmfn op = {.gmfn = 1ul << 40};
	uint64_t *page = page_alloc();
	evtchn_port_t port, level_port;

	EXPECT(physdev(PHYSDEVOP_pirq_eoi_gmfn_v2, &op), -EINVAL);
	memset(page, 0, PAGE_SIZE);
	op.gmfn = virt_to_mfn(page);
	EXPECT(physdev(PHYSDEVOP_pirq_eoi_gmfn_v2, &op), 0);
	EXPECT(physdev(PHYSDEVOP_pirq_eoi_gmfn_v2, &op), -EBUSY);
	EXPECT(physdev(PHYSDEVOP_pirq_eoi_gmfn_v1, &op), -EBUSY);
	EXPECT(bind(CLOCK, &port), 0);
	EXPECT(bind(SCI, &level_port), 0);
	EXPECT(page[0] >> SCI & 1, 1);
	EXPECT(event_close(port), 0);
	EXPECT(event_close(level_port), 0);
}

/* ---- what must not be taken ---- */

static void devices(void)
{
	struct physdev_manage_pci manage = {.bus = 0, .devfn = 0x50};
	struct physdev_manage_pci_ext extended = {.bus = 0, .devfn = 0x50, .is_extfn = 2};
	struct physdev_pci_device none = {.seg = 0, .bus = 0x70, .devfn = 1};
	struct physdev_pci_mmcfg_reserved mmcfg = {
	    .address = 0x123000, .end_bus = 0xff, .flags = 2};
	struct physdev_apic apic = {.apic_physbase = 0x1000, .reg = 0x10};
	struct physdev_dbgp_op debug = {.op = PHYSDEVOP_DBGP_RESET_PREPARE};

	EXPECT(physdev(PHYSDEVOP_manage_pci_add, &manage), 0);
	EXPECT(physdev(PHYSDEVOP_manage_pci_remove, &manage), 0);
	EXPECT(physdev(PHYSDEVOP_manage_pci_remove, &manage), -ENODEV);
	EXPECT(physdev(PHYSDEVOP_manage_pci_add_ext, &extended), -EINVAL);
	EXPECT(physdev(PHYSDEVOP_pci_device_remove, &none), -ENODEV);
	EXPECT(physdev(PHYSDEVOP_restore_msi_ext, &none), -ENODEV);
	EXPECT(physdev(PHYSDEVOP_prepare_msix, &none), -ENODEV);
	EXPECT(physdev(PHYSDEVOP_release_msix, &none), -ENODEV);
	EXPECT(physdev(PHYSDEVOP_pci_mmcfg_reserved, &mmcfg), -EINVAL);
	mmcfg.flags = 1;
	mmcfg.segment = 7;
	EXPECT(physdev(PHYSDEVOP_pci_mmcfg_reserved, &mmcfg), -ENODEV);
	EXPECT(physdev(PHYSDEVOP_apic_write, &apic), -EINVAL);
	EXPECT(physdev(PHYSDEVOP_dbgp_op, &debug), 0);
	EXPECT(physdev(PHYSDEVOP_free_irq_vector, &none), -ENOSYS);
	EXPECT(physdev(PHYSDEVOP_IRQ_UNMASK_NOTIFY, NULL), 0);
}

static void pointers(void)
{
	static const int commands[] = {
	    PHYSDEVOP_eoi,
	    PHYSDEVOP_pirq_eoi_gmfn_v2,
	    PHYSDEVOP_irq_status_query,
	    PHYSDEVOP_apic_read,
	    PHYSDEVOP_apic_write,
	    PHYSDEVOP_alloc_irq_vector,
	    PHYSDEVOP_map_pirq,
	    PHYSDEVOP_unmap_pirq,
	    PHYSDEVOP_manage_pci_add,
	    PHYSDEVOP_setup_gsi,
	    PHYSDEVOP_get_free_pirq,
	    PHYSDEVOP_manage_pci_add_ext,
	    PHYSDEVOP_pci_mmcfg_reserved,
	    PHYSDEVOP_pci_device_add,
	    PHYSDEVOP_prepare_msix,
	    PHYSDEVOP_restore_msi_ext,
	    PHYSDEVOP_pci_device_remove,
	    PHYSDEVOP_dbgp_op,
	};

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		EXPECT(physdev(commands[i], (void *)NOT_MAPPED), -EFAULT);
		EXPECT(physdev(commands[i], (void *)OF_HYPERVISOR), -EFAULT);
		EXPECT(physdev(commands[i], (void *)NOT_CANONICAL), -EFAULT);
	}
}

/* Any numbers in any order, and it still works afterwards. Not on Xen, which some of this brings down. */
static void noise(void)
{
	static const int commands[] = {
	    PHYSDEVOP_eoi,
	    PHYSDEVOP_irq_status_query,
	    PHYSDEVOP_apic_read,
	    PHYSDEVOP_map_pirq,
	    PHYSDEVOP_unmap_pirq,
	    PHYSDEVOP_get_free_pirq,
	    PHYSDEVOP_pci_device_add,
	    PHYSDEVOP_prepare_msix,
	    PHYSDEVOP_restore_msi_ext,
	    PHYSDEVOP_map_pirq,
	    PHYSDEVOP_pci_device_remove,
	};
	uint64_t state = 4711, argument[8];
	evtchn_port_t port;

	if (!test_on_cerne()) {
		test_skip("for Cerne only");
		return;
	}
	for (unsigned int i = 0; i < 20000; i++) {
		int command = commands[test_random(&state) % COUNT_OF(commands)];
		uint8_t *bytes = (uint8_t *)argument;

		for (size_t n = 0; n < sizeof(argument); n++) {
			uint64_t random = test_random(&state);

			bytes[n] = random & 0x300 ? 0 : (uint8_t)random;
			if ((random & 0xf000) == 0)
				bytes[n] = 0xff;
		}
		if (command == PHYSDEVOP_map_pirq && i & 1)
			((struct physdev_map_pirq *)argument)->domid = DOMID_SELF;
		physdev(command, argument);
		if (i % 16 == 0 && !bind((unsigned int)(test_random(&state) % 256), &port))
			event_close(port);
	}
	unmap(CLOCK);
	periodic();
}

static const struct test tests[] = {
    {"numbers", numbers},   {"modes", modes},	    {"queries", queries}, {"edge", edge},
    {"periodic", periodic}, {"level", level},	    {"message", message}, {"devices", devices},
    {"pointers", pointers}, {"eoi_page", eoi_page}, {"noise", noise},
};

void guest_main(void)
{
	struct physdev_set_iopl iopl = {.iopl = 1};

	physdev(PHYSDEVOP_set_iopl, &iopl);
	test_main("pirq", tests, COUNT_OF(tests));
}
