/* SPDX-License-Identifier: MIT */
/*
 * Where PCI's lines lead, by ACPI's methods (6.2.13, _PRT): the tables of a root bridge, or of a bridge below it that has its
 * own; behind one that has none, pins are the parent's, turned by the slot (PCI-to-PCI Bridge 1.2, 9.1). An entry names an
 * input of the interrupt controllers, or a link device whose present setting (6.2.2, _CRS) tells.
 */
#include "acpica.h"
#include "acpi/firmware.h"
#include "pci/internal.h"
#include <string.h>

#define MOST_BRIDGES 32 /* above each other */

static u64 integer_of(acpi_handle device, char *name, u64 otherwise)
{
	union acpi_object value;
	struct acpi_buffer buffer = {sizeof(value), &value};

	if (ACPI_FAILURE(
		acpi_evaluate_object_typed(device, name, NULL, &buffer, ACPI_TYPE_INTEGER)))
		return otherwise;
	return value.integer.value;
}

/* ---- from a PCI device to its object ---- */

static acpi_status is_root(acpi_handle device, u32 level, void *context, void **result)
{
	if (integer_of(device, "_BBN", 0) != 0 || integer_of(device, "_SEG", 0) != 0)
		return AE_OK;
	*result = device;
	return AE_CTRL_TERMINATE;
}

static acpi_handle root_bridge(void)
{
	void *found = NULL;

	acpi_get_devices("PNP0A03", is_root, NULL, &found);
	if (!found)
		acpi_get_devices("PNP0A08", is_root, NULL, &found);
	return found;
}

static const struct pci_device *bridge_above(const struct pci_device *device)
{
	const struct pci_device *bridge = pci_devices();

	while (bridge &&
	       (bridge->header != 1 || pci_read8(bridge, REG_SECONDARY_BUS) != device->bus))
		bridge = bridge->next;
	return bridge;
}

/* The object below parent with this address (6.1.1, _ADR: device and function), or NULL. */
static acpi_handle child_at(acpi_handle parent, const struct pci_device *device)
{
	u64 address = (u64)(device->devfn >> 3) << 16 | (device->devfn & 7);
	acpi_handle child = NULL;

	while (ACPI_SUCCESS(acpi_get_next_object(ACPI_TYPE_DEVICE, parent, child, &child)))
		if (integer_of(child, "_ADR", ~0ull) == address)
			return child;
	return NULL;
}

/* The object of the bus that a device is on, or NULL. */
static acpi_handle bus_object(const struct pci_device *device)
{
	const struct pci_device *path[MOST_BRIDGES];
	acpi_handle object = root_bridge();
	unsigned int depth = 0;

	while (device && device->bus && depth < MOST_BRIDGES) {
		device = bridge_above(device);
		path[depth++] = device;
	}
	while (object && depth)
		object = path[--depth] ? child_at(object, path[depth]) : NULL;
	return object;
}

/* ---- entries ---- */

struct setting {
	struct line_route route;
	bool found;
};

static acpi_status read_setting(struct acpi_resource *resource, void *context)
{
	const struct acpi_resource_irq *irq = &resource->data.irq;
	const struct acpi_resource_extended_irq *extended = &resource->data.extended_irq;
	struct setting *setting = context;

	if (setting->found)
		return AE_OK;
	if (resource->type == ACPI_RESOURCE_TYPE_IRQ && irq->interrupt_count && irq->interrupts[0])
		*setting = (struct setting){{.gsi = irq->interrupts[0],
					     .level = irq->triggering == ACPI_LEVEL_SENSITIVE,
					     .low = irq->polarity == ACPI_ACTIVE_LOW},
					    true};
	else if (resource->type == ACPI_RESOURCE_TYPE_EXTENDED_IRQ && extended->interrupt_count &&
		 extended->interrupts[0])
		*setting = (struct setting){{.gsi = extended->interrupts[0],
					     .level = extended->triggering == ACPI_LEVEL_SENSITIVE,
					     .low = extended->polarity == ACPI_ACTIVE_LOW},
					    true};
	return AE_OK;
}

static bool read_link(char *name, struct line_route *route)
{
	struct setting setting = {.found = false};
	acpi_handle link;

	if (ACPI_FAILURE(acpi_get_handle(NULL, name, &link)))
		return false;
	acpi_walk_resources(link, "_CRS", read_setting, &setting);
	*route = setting.route;
	return setting.found;
}

static bool read_entry(struct acpi_pci_routing_table *entry, struct line_route *route)
{
	if (entry->source[0])
		return read_link(entry->source, route);
	/* An input by its number is PCI's: level-triggered, active low. */
	*route = (struct line_route){.gsi = entry->source_index, .level = true, .low = true};
	return true;
}

/* The table of a bus says where a pin (0: INTA) of a slot leads. has_table: whether there is one. */
static bool look_up(acpi_handle bus, unsigned int slot, unsigned int pin, struct line_route *route,
		    bool *has_table)
{
	struct acpi_buffer buffer = {ACPI_ALLOCATE_BUFFER, NULL};
	bool found = false;
	char *at;

	*has_table = bus && ACPI_SUCCESS(acpi_get_irq_routing_table(bus, &buffer));
	if (!*has_table)
		return false;
	for (at = buffer.pointer; !found;) {
		struct acpi_pci_routing_table *entry = (void *)at;

		if (!entry->length)
			break;
		if (entry->address >> 16 == slot && entry->pin == pin)
			found = read_entry(entry, route);
		at += entry->length;
	}
	acpi_os_free(buffer.pointer);
	return found;
}

bool acpi_route(const struct pci_device *device, struct line_route *route)
{
	unsigned int pin = device->pin - 1u;
	bool has_table = false;

	if (!acpica_start())
		return false;
	for (unsigned int n = 0; device && n < MOST_BRIDGES; n++) {
		unsigned int slot = device->devfn >> 3;

		if (look_up(bus_object(device), slot, pin, route, &has_table))
			return true;
		if (has_table || !device->bus)
			return false;
		pin = (pin + slot) % 4;
		device = bridge_above(device);
	}
	return false;
}
