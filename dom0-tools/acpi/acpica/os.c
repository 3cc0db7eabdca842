/* SPDX-License-Identifier: MIT */
/*
 * What ACPICA asks of an operating system (its reference, chapter 9), on dom0's runtime. ACPICA runs in threads, and in the handler
 * of its interrupt with events masked.
 */
#include "acpica.h"
#include "acpi/firmware.h"
#include "pci/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/event.h>
#include <guest/memory.h>
#include <guest/thread.h>

acpi_status acpi_os_initialize(void)
{
	return AE_OK;
}

acpi_status acpi_os_terminate(void)
{
	return AE_OK;
}

acpi_physical_address acpi_os_get_root_pointer(void)
{
	return acpi_root_pointer();
}

acpi_status acpi_os_predefined_override(const struct acpi_predefined_names *name,
					acpi_string *value)
{
	*value = NULL;
	return AE_OK;
}

acpi_status acpi_os_table_override(struct acpi_table_header *table,
				   struct acpi_table_header **other)
{
	*other = NULL;
	return AE_OK;
}

acpi_status acpi_os_physical_table_override(struct acpi_table_header *table,
					    acpi_physical_address *address, u32 *length)
{
	*address = 0;
	*length = 0;
	return AE_OK;
}

/* ---- memory ---- */

void *acpi_os_allocate(acpi_size size)
{
	return malloc(size);
}

void acpi_os_free(void *memory)
{
	free(memory);
}

static unsigned long pages_of(uint64_t address, uint64_t length)
{
	return (address % PAGE_SIZE + length + PAGE_SIZE - 1) / PAGE_SIZE;
}

void *acpi_os_map_memory(acpi_physical_address where, acpi_size length)
{
	char *mapped =
	    frames_map(where / PAGE_SIZE, pages_of(where, length), PTE_DATA, DOMID_IO, NULL);

	return mapped ? mapped + where % PAGE_SIZE : NULL;
}

void acpi_os_unmap_memory(void *memory, acpi_size length)
{
	uintptr_t address = (uintptr_t)memory;

	frames_unmap((void *)(address & ~(uintptr_t)(PAGE_SIZE - 1)), pages_of(address, length));
}

/* ---- hardware ---- */

acpi_status acpi_os_read_port(acpi_io_address port, u32 *value, u32 width)
{
	switch (width) {
	case 8:
		*value = port_read8((uint16_t)port);
		return AE_OK;
	case 16:
		*value = port_read16((uint16_t)port);
		return AE_OK;
	case 32:
		*value = port_read32((uint16_t)port);
		return AE_OK;
	default:
		return AE_BAD_PARAMETER;
	}
}

acpi_status acpi_os_write_port(acpi_io_address port, u32 value, u32 width)
{
	switch (width) {
	case 8:
		port_write8((uint16_t)port, (uint8_t)value);
		return AE_OK;
	case 16:
		port_write16((uint16_t)port, (uint16_t)value);
		return AE_OK;
	case 32:
		port_write32((uint16_t)port, value);
		return AE_OK;
	default:
		return AE_BAD_PARAMETER;
	}
}

static u64 read_width(const volatile void *from, u32 width)
{
	switch (width) {
	case 8:
		return mmio_read8(from);
	case 16:
		return mmio_read16(from);
	case 32:
		return mmio_read32(from);
	default:
		return mmio_read64(from);
	}
}

static void write_width(volatile void *to, u64 value, u32 width)
{
	switch (width) {
	case 8:
		mmio_write8(to, (uint8_t)value);
		break;
	case 16:
		mmio_write16(to, (uint16_t)value);
		break;
	case 32:
		mmio_write32(to, (uint32_t)value);
		break;
	default:
		mmio_write64(to, value);
		break;
	}
}

acpi_status acpi_os_read_memory(acpi_physical_address address, u64 *value, u32 width)
{
	void *mapped = acpi_os_map_memory(address, width / 8);

	if (!mapped)
		return AE_NO_MEMORY;
	*value = read_width(mapped, width);
	acpi_os_unmap_memory(mapped, width / 8);
	return AE_OK;
}

acpi_status acpi_os_write_memory(acpi_physical_address address, u64 value, u32 width)
{
	void *mapped = acpi_os_map_memory(address, width / 8);

	if (!mapped)
		return AE_NO_MEMORY;
	write_width(mapped, value, width);
	acpi_os_unmap_memory(mapped, width / 8);
	return AE_OK;
}

/* Configuration space as far as pci.h reaches it. */
static bool find_config(const struct acpi_pci_id *id, u32 reg, u32 width, struct pci_device *device)
{
	if (id->segment || id->bus > 255 || id->device > 31 || id->function > 7 ||
	    reg + width / 8 > 256)
		return false;
	*device = (struct pci_device){.bus = (uint8_t)id->bus,
				      .devfn = (uint8_t)(id->device << 3 | id->function)};
	return true;
}

acpi_status acpi_os_read_pci_configuration(struct acpi_pci_id *id, u32 reg, u64 *value, u32 width)
{
	struct pci_device device;

	if (!find_config(id, reg, width, &device))
		return AE_BAD_PARAMETER;
	switch (width) {
	case 8:
		*value = pci_read8(&device, reg);
		return AE_OK;
	case 16:
		*value = pci_read16(&device, reg);
		return AE_OK;
	case 32:
		*value = pci_read32(&device, reg);
		return AE_OK;
	default:
		return AE_BAD_PARAMETER;
	}
}

acpi_status acpi_os_write_pci_configuration(struct acpi_pci_id *id, u32 reg, u64 value, u32 width)
{
	struct pci_device device;

	if (!find_config(id, reg, width, &device))
		return AE_BAD_PARAMETER;
	switch (width) {
	case 8:
		pci_write8(&device, reg, (uint8_t)value);
		return AE_OK;
	case 16:
		pci_write16(&device, reg, (uint16_t)value);
		return AE_OK;
	case 32:
		pci_write32(&device, reg, (uint32_t)value);
		return AE_OK;
	default:
		return AE_BAD_PARAMETER;
	}
}

/* The one interrupt of ACPI's. 5.2.9: level-triggered, active low, unless the table of interrupt controllers says otherwise. */
static struct {
	struct line_user line;
	acpi_osd_handler handler;
	void *context;
} sci;

static bool on_sci(void *unused)
{
	return sci.handler(sci.context) == ACPI_INTERRUPT_HANDLED;
}

acpi_status acpi_os_install_interrupt_handler(u32 interrupt, acpi_osd_handler handler,
					      void *context)
{
	struct line_route route = {.gsi = interrupt, .level = true, .low = true};

	if (sci.handler)
		return AE_ALREADY_EXISTS;
	acpi_isa_override(interrupt, &route);
	sci.handler = handler;
	sci.context = context;
	sci.line.handler = on_sci;
	return line_join(&sci.line, &route) ? AE_ERROR : AE_OK;
}

acpi_status acpi_os_remove_interrupt_handler(u32 interrupt, acpi_osd_handler handler)
{
	line_leave(&sci.line);
	sci.handler = NULL;
	return AE_OK;
}

/* The machine is switched off by the hypervisor. */
acpi_status acpi_os_enter_sleep(u8 state, u32 a, u32 b)
{
	return AE_SUPPORT;
}

/* ---- threads ---- */

/* The mask of events is the lock. */
acpi_status acpi_os_create_lock(acpi_spinlock *lock)
{
	*lock = (acpi_spinlock)1;
	return AE_OK;
}

void acpi_os_delete_lock(acpi_spinlock lock)
{
}

acpi_cpu_flags acpi_os_acquire_lock(acpi_spinlock lock)
{
	return events_save();
}

void acpi_os_release_lock(acpi_spinlock lock, acpi_cpu_flags masked)
{
	events_restore(masked);
}

struct semaphore {
	u32 units;
	struct wait_queue queue;
};

acpi_status acpi_os_create_semaphore(u32 most, u32 first, acpi_semaphore *to)
{
	struct semaphore *semaphore = calloc(1, sizeof(*semaphore));

	if (!semaphore)
		return AE_NO_MEMORY;
	semaphore->units = first;
	*to = semaphore;
	return AE_OK;
}

acpi_status acpi_os_delete_semaphore(acpi_semaphore semaphore)
{
	free(semaphore);
	return AE_OK;
}

acpi_status acpi_os_wait_semaphore(acpi_semaphore handle, u32 units, u16 milliseconds)
{
	struct semaphore *semaphore = handle;
	uint64_t end =
	    milliseconds == ACPI_WAIT_FOREVER ? 0 : clock_now() + milliseconds * NSEC_PER_MSEC;
	bool masked = events_save(), in_time = true;

	while (semaphore->units < units && in_time)
		in_time = milliseconds && wait_on(&semaphore->queue, end);
	in_time = semaphore->units >= units;
	if (in_time)
		semaphore->units -= units;
	events_restore(masked);
	return in_time ? AE_OK : AE_TIME;
}

acpi_status acpi_os_signal_semaphore(acpi_semaphore handle, u32 units)
{
	struct semaphore *semaphore = handle;
	bool masked = events_save();

	semaphore->units += units;
	wake_all(&semaphore->queue);
	events_restore(masked);
	return AE_OK;
}

acpi_thread_id acpi_os_get_thread_id(void)
{
	return (uintptr_t)thread_self();
}

acpi_status acpi_os_execute(acpi_execute_type type, acpi_osd_exec_callback function, void *context)
{
	struct thread *thread = thread_create("acpi", function, context);

	if (!thread)
		return AE_NO_MEMORY;
	thread_detach(thread);
	return AE_OK;
}

/* Nothing that we let it do starts others. */
void acpi_os_wait_events_complete(void)
{
}

void acpi_os_sleep(u64 milliseconds)
{
	thread_sleep(milliseconds * NSEC_PER_MSEC);
}

void acpi_os_stall(u32 microseconds)
{
	uint64_t end = clock_now() + microseconds * 1000ul;

	while (clock_now() < end)
		;
}

/* In units of 100 ns. */
u64 acpi_os_get_timer(void)
{
	return clock_now() / 100;
}

acpi_status acpi_os_signal(u32 function, void *info)
{
	return AE_OK;
}

/* ---- messages ---- */

void acpi_os_printf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	acpi_os_vprintf(format, arguments);
	va_end(arguments);
}

void acpi_os_vprintf(const char *format, va_list arguments)
{
	/* Errors and warnings begin in other words; which tables there are is no news. */
	static bool quiet;

	if (strcmp(format, "ACPI: ") == 0)
		quiet = true;
	if (!quiet)
		vprintf(format, arguments);
	if (strchr(format, '\n'))
		quiet = false;
}
