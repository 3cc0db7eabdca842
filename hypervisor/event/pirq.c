/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices, given to guests as events. A guest's number for an interrupt line (pirq) is the
 * line's own (global system interrupt).
 *
 * A domain first maps a line, then binds it to a port. Only then the line is routed to a vector of its
 * own, which it keeps for good, so that an interrupt that is still under way when a port closes finds
 * its handler. A level-triggered line stays masked from the interrupt until the guest says that it has
 * served the device (PHYSDEVOP_eoi); an edge needs nothing.
 *
 * Lock: one for all lines, below the domains' event locks, above the IO-APIC's.
 */
#include "event/event.h"
#include "cpu/cpu.h"
#include "lib/errno.h"
#include "lib/lib.h"

#define NR_LINES     256
#define NR_ISA_LINES 16

struct line {
	struct domain *owner; /* who has mapped it */
	evtchn_port_t port;   /* of the owner; 0: not bound */
	uint8_t vector;	      /* 0: never bound yet */
	bool configured;      /* trigger and polarity are known */
	bool level, low;
	bool in_service; /* level: masked until the guest's EOI */
};

static struct line lines[NR_LINES];
static uint8_t line_of_vector[256];
static unsigned int next_vector = VECTOR_FIRST_DYNAMIC;
static spinlock_t lock;

/* The line of that number, clamped, or NULL. */
static struct line *find(unsigned int gsi)
{
	unsigned int count = min(ioapic_gsi_count(), (unsigned int)NR_LINES);

	return gsi < count ? &lines[clamp_index(gsi, count)] : NULL;
}

static unsigned int gsi_of(const struct line *l)
{
	return (unsigned int)(l - lines);
}

static void handle(unsigned int vector, struct cpu_user_regs *regs)
{
	struct line *l = &lines[line_of_vector[vector]];
	struct domain *d = NULL;
	evtchn_port_t port;

	spin_lock(&lock);
	port = l->port;
	if (port) {
		d = l->owner;
		if (l->level) {
			ioapic_mask(gsi_of(l), true);
			l->in_service = true;
		}
	}
	spin_unlock(&lock);
	apic_eoi();
	if (d)
		evtchn_raise(d, port);
}

/* What the firmware says of the line, until the guest says better (pirq_setup). */
static void configure(struct line *l)
{
	unsigned int gsi = gsi_of(l);
	bool level, low;

	if (l->configured)
		return;
	l->level = l->low = gsi >= NR_ISA_LINES;
	for (unsigned int irq = 0; irq < NR_ISA_LINES; irq++) {
		if (isa_irq_to_gsi(irq, &level, &low) == gsi) {
			l->level = level;
			l->low = low;
			break;
		}
	}
	l->configured = true;
}

int pirq_setup(unsigned int gsi, bool level, bool low)
{
	struct line *l = find(gsi);
	int rc = -EEXIST;

	if (!l)
		return -EINVAL;
	spin_lock(&lock);
	if (!l->port) {
		l->level = level;
		l->low = low;
		l->configured = true;
		rc = 0;
	}
	spin_unlock(&lock);
	return rc;
}

int pirq_map(struct domain *d, unsigned int gsi)
{
	struct line *l = find(gsi);
	int rc = 0;

	if (!l)
		return -EINVAL;
	spin_lock(&lock);
	if (!l->owner) {
		configure(l);
		l->owner = d;
	} else if (l->owner != d) {
		rc = -EBUSY;
	}
	spin_unlock(&lock);
	return rc;
}

/* Under the lock: no more interrupts. */
static void disconnect(struct line *l)
{
	if (!l->port)
		return;
	ioapic_mask(gsi_of(l), true);
	l->in_service = false;
	l->port = 0;
}

int pirq_unmap(struct domain *d, unsigned int pirq)
{
	struct line *l = find(pirq);
	int rc = -EINVAL;

	if (!l)
		return rc;
	spin_lock(&lock);
	if (l->owner == d) {
		disconnect(l);
		l->owner = NULL;
		rc = 0;
	}
	spin_unlock(&lock);
	return rc;
}

int pirq_bind(struct domain *d, unsigned int pirq, evtchn_port_t port)
{
	struct line *l = find(pirq);
	int rc;

	if (!l)
		return -EINVAL;
	spin_lock(&lock);
	rc = -EINVAL;
	if (l->owner != d)
		goto out;
	rc = -EEXIST;
	if (l->port)
		goto out;
	rc = -EBUSY;
	if (!l->vector && ioapic_vector(pirq)) /* the hypervisor's own: the console's */
		goto out;
	rc = -ENOSPC;
	if (!l->vector && next_vector > VECTOR_LAST_DYNAMIC)
		goto out;
	if (!l->vector) {
		line_of_vector[next_vector] = (uint8_t)gsi_of(l);
		l->vector = (uint8_t)next_vector++;
		set_vector_handler(l->vector, handle);
	}
	rc = ioapic_route(pirq, l->vector, 0, l->level, l->low);
	if (rc)
		goto out;
	l->port = port;
	ioapic_mask(pirq, false);
out:
	spin_unlock(&lock);
	return rc;
}

void pirq_unbind(struct domain *d, unsigned int pirq, evtchn_port_t port)
{
	struct line *l = find(pirq);

	if (!l)
		return;
	spin_lock(&lock);
	if (l->owner == d && l->port == port)
		disconnect(l);
	spin_unlock(&lock);
}

int pirq_eoi(struct domain *d, unsigned int pirq)
{
	struct line *l = find(pirq);
	int rc = -EINVAL;

	if (!l)
		return rc;
	spin_lock(&lock);
	if (l->owner == d) {
		if (l->in_service) {
			l->in_service = false;
			ioapic_mask(pirq, false);
		}
		rc = 0;
	}
	spin_unlock(&lock);
	return rc;
}
