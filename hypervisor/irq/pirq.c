/* SPDX-License-Identifier: MIT */
/*
 * A domain's numbers for interrupts. Kernels ask for a line's own; who leaves the choice gets the lowest free one
 * for a line and the highest for a message, as from Xen. Whatever is mapped here was allowed by the caller (pv/physdev.c).
 * A line that was mapped for an ordinary domain it can bind when the tools permit that, too.
 */
#include "irq/internal.h"
#include "cpu/cpu.h"
#include "event/event.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include <public/physdev.h>

/* Numbers beyond the lines': for so many messages a CPU, up to some CPUs. All fit the page of eoi's bits. */
#define MSIS_PER_CPU   184
#define CPUS_WITH_MSIS 16
/* The same for an ordinary domain, as on Xen. */
#define MSIS_ORDINARY 32
/* The lowest number that is given away unasked: those below are the ISA interrupts' own. */
#define FIRST_FREE_NUMBER 16
_Static_assert(240 * 16 + MSIS_PER_CPU * CPUS_WITH_MSIS <= 8 * PAGE_SIZE, "bits in a page");

static unsigned int numbers_of(const struct domain *d)
{
	if (!d->is_privileged)
		return ioapic_gsi_count() + MSIS_ORDINARY;
	return ioapic_gsi_count() + MSIS_PER_CPU * min(nr_cpus, (unsigned int)CPUS_WITH_MSIS);
}

/* The entry of a number that exists, or NULL. Any number, also under speculation. */
static struct pirq *pirq_of(struct domain *d, unsigned int pirq)
{
	struct pirq *table = __atomic_load_n(&d->irq.pirq, __ATOMIC_ACQUIRE);

	if (!table || pirq >= d->irq.nr)
		return NULL;
	return &table[clamp_index(pirq, d->irq.nr)];
}

static unsigned int number_of(const struct pirq *p)
{
	return (unsigned int)(p - p->domain->irq.pirq);
}

/* Under the domain's lock. */
static bool make_table(struct domain *d)
{
	unsigned int nr = numbers_of(d);
	struct pirq *table;

	if (d->irq.pirq)
		return true;
	table = nr && !READ_ONCE(d->is_dying) ? kzalloc(nr * sizeof(*table)) : NULL;
	if (!table)
		return false;
	for (unsigned int i = 0; i < nr; i++)
		table[i].domain = d;
	d->irq.nr = nr;
	__atomic_store_n(&d->irq.pirq, table, __ATOMIC_RELEASE);
	return true;
}

static bool is_free(const struct pirq *p)
{
	return !p->irq && !p->port;
}

/* The first free one; reserved ones count as free if asked. */
static struct pirq *find_free(struct domain *d, bool gsi, bool reserved)
{
	unsigned int lines = ioapic_gsi_count();
	struct pirq *p = d->irq.pirq;

	if (gsi) {
		for (unsigned int i = FIRST_FREE_NUMBER; i < lines; i++)
			if (is_free(&p[i]) && (reserved || !p[i].reserved))
				return &p[i];
		return NULL;
	}
	for (unsigned int i = d->irq.nr; i-- > lines;)
		if (is_free(&p[i]) && !p[i].reserved)
			return &p[i];
	return NULL;
}

/* ---- mapping ---- */

/* The entry that a new mapping gets: the wanted number's (any: negative), or NULL with the error. */
static struct pirq *choose(struct domain *d, int wanted, bool gsi, long *error)
{
	struct pirq *p;

	if (wanted < 0) {
		/* A number that was reserved was reserved for this. */
		p = find_free(d, gsi, true);
		*error = -ENOSPC;
		return p;
	}
	p = pirq_of(d, (unsigned int)wanted);
	*error = p ? -EEXIST : -EINVAL;
	return p && is_free(p) ? p : NULL;
}

static const struct pirq *find_mapping(const struct domain *d, const struct irq *irq)
{
	for (unsigned int i = 0; i < d->irq.nr; i++)
		if (d->irq.pirq[i].irq == irq)
			return &d->irq.pirq[i];
	return NULL;
}

static long map_line(struct domain *d, struct irq *irq, int *pirq)
{
	const struct pirq *present = find_mapping(d, irq);
	struct pirq *p;
	long error;

	if (present) {
		if (*pirq >= 0 && (unsigned int)*pirq != number_of(present))
			return -EEXIST;
		*pirq = (int)number_of(present);
		return 0;
	}
	p = choose(d, *pirq, true, &error);
	if (!p)
		return error;
	WRITE_ONCE(p->irq, irq);
	*pirq = (int)number_of(p);
	return 0;
}

long pirq_map_gsi(struct domain *d, int gsi, int *pirq)
{
	struct irq *irq = gsi < 0 ? NULL : irq_of_gsi((unsigned int)gsi);
	long rc;

	if (!irq)
		return -EINVAL;
	if (gsi == 0)
		return -EPERM;
	spin_lock(&d->irq.lock);
	rc = make_table(d) ? map_line(d, irq, pirq) : -ENOMEM;
	spin_unlock(&d->irq.lock);
	return rc;
}

long pirq_map_msi(struct domain *d, const struct msi_device *dev, int *pirq)
{
	struct pirq *p = NULL;
	struct irq *irq;
	long rc = -ENOMEM;

	spin_lock(&d->irq.lock);
	if (make_table(d))
		p = choose(d, *pirq, false, &rc);
	if (p) {
		rc = msi_create(dev, READ_ONCE(d->vcpu[0]->sched.cpu), &irq);
		if (!rc) {
			WRITE_ONCE(p->irq, irq);
			*pirq = (int)number_of(p);
		}
	}
	spin_unlock(&d->irq.lock);
	return rc;
}

/* Under the domain's lock. The channel, if there is one, stays until it is closed. */
static void release(struct pirq *p)
{
	struct irq *irq = p->irq;

	irq_unbind(irq, p);
	WRITE_ONCE(p->irq, NULL);
	p->reserved = false;
	if (irq->kind != IRQ_GSI)
		msi_destroy(irq);
}

long pirq_unmap(struct domain *d, int pirq)
{
	struct pirq *p;
	long rc = -EINVAL;

	spin_lock(&d->irq.lock);
	p = pirq < 0 ? NULL : pirq_of(d, (unsigned int)pirq);
	if (p && p->irq) {
		release(p);
		rc = 0;
	}
	spin_unlock(&d->irq.lock);
	return rc;
}

long pirq_reserve(struct domain *d, bool gsi, uint32_t *pirq)
{
	struct pirq *p;
	long rc = -ENOSPC;

	spin_lock(&d->irq.lock);
	if (make_table(d)) {
		p = find_free(d, gsi, false);
		if (p) {
			p->reserved = true;
			*pirq = number_of(p);
			rc = 0;
		}
	}
	spin_unlock(&d->irq.lock);
	return rc;
}

/* ---- permission ---- */

/* Of the caller's numbers one that is not mapped stands for the line itself. A message is for whom it was mapped. */
long pirq_permit(struct domain *d, unsigned int pirq, bool allow)
{
	const struct pirq *p = pirq_of(current->domain, pirq);
	const struct irq *irq = p ? READ_ONCE(p->irq) : NULL;
	unsigned int gsi = irq ? irq->number : pirq;

	if (irq && irq->kind != IRQ_GSI)
		return 0;
	if (gsi >= ioapic_gsi_count())
		return -EINVAL;
	return range_set_change(&d->irq.lines, gsi, gsi, allow);
}

static bool permitted(const struct domain *d, const struct irq *irq)
{
	return d->is_privileged || irq->kind != IRQ_GSI ||
	       range_set_has(&d->irq.lines, irq->number, irq->number);
}

/* ---- channels ---- */

static void show_eoi_bit(struct domain *d, unsigned int pirq, const struct irq *irq)
{
	uint64_t *map = d->irq.eoi_map;

	if (!map)
		return;
	if (irq_needs_eoi(irq))
		set_bit(pirq, map);
	else
		clear_bit(pirq, map);
}

long pirq_bind(struct domain *d, unsigned int pirq, evtchn_port_t port, bool share)
{
	struct pirq *p;
	long rc;

	if (pirq >= numbers_of(d))
		return -EINVAL;
	p = pirq_of(d, pirq);
	if (!p)
		return -EPERM;
	spin_lock(&d->irq.lock);
	if (p->port)
		rc = -EEXIST;
	else if (!p->irq || !permitted(d, p->irq))
		rc = -EPERM;
	else {
		show_eoi_bit(d, pirq, p->irq);
		rc = irq_bind(p->irq, p, port, share);
	}
	spin_unlock(&d->irq.lock);
	return rc;
}

void pirq_unbind(struct domain *d, unsigned int pirq)
{
	struct pirq *p = pirq_of(d, pirq);

	if (!p)
		return;
	spin_lock(&d->irq.lock);
	/* Not mapped any more: it was unbound then. */
	if (p->irq && p->port)
		irq_unbind(p->irq, p);
	p->port = 0;
	spin_unlock(&d->irq.lock);
}

/* ---- answers ---- */

long pirq_eoi(struct domain *d, unsigned int pirq)
{
	struct pirq *p = pirq_of(d, pirq);
	evtchn_port_t port;

	if (unlikely(!p))
		return -EINVAL;
	port = READ_ONCE(p->port);
	if (unlikely(d->irq.eoi_unmasks) && port)
		evtchn_unmask_port(d, port);
	return irq_eoi(p);
}

void pirq_eoi_unmasked(struct domain *d)
{
	for (unsigned int i = 0; i < d->irq.nr; i++) {
		struct pirq *p = pirq_of(d, i);
		evtchn_port_t port = p ? READ_ONCE(p->port) : 0;

		if (port && READ_ONCE(p->awaited) && !evtchn_port_is_masked(d, port))
			irq_eoi(p);
	}
}

/* Xen says "needs eoi" of every number that there is, bound or not; only the page of bits is precise. */
long pirq_status(struct domain *d, unsigned int pirq)
{
	const struct pirq *p;
	const struct irq *irq;

	if (pirq >= numbers_of(d))
		return -EINVAL;
	p = pirq_of(d, pirq);
	irq = p ? READ_ONCE(p->irq) : NULL;
	return XENIRQSTAT_needs_eoi | (irq && READ_ONCE(irq->guests) > 1 ? XENIRQSTAT_shared : 0);
}

long pirq_set_eoi_page(struct domain *d, mfn_t mfn, bool unmask)
{
	long rc = -EBUSY;

	spin_lock(&d->irq.lock);
	if (d->irq.eoi_map)
		goto out;
	rc = get_frame_and_type(mfn, d, PT_WRITABLE) ? -EINVAL : 0;
	if (rc)
		goto out;
	d->irq.eoi_unmasks = unmask;
	d->irq.eoi_map = mfn_to_virt(mfn);
	for (unsigned int i = 0; i < d->irq.nr; i++)
		if (d->irq.pirq[i].irq && d->irq.pirq[i].port)
			show_eoi_bit(d, i, d->irq.pirq[i].irq);
out:
	spin_unlock(&d->irq.lock);
	return rc;
}

void pirq_destroy(struct domain *d)
{
	spin_lock(&d->irq.lock);
	for (unsigned int i = 0; i < d->irq.nr; i++)
		if (d->irq.pirq[i].irq)
			release(&d->irq.pirq[i]);
	if (d->irq.eoi_map)
		put_frame_and_type(virt_to_mfn(d->irq.eoi_map));
	d->irq.eoi_map = NULL;
	kfree(d->irq.pirq);
	d->irq.pirq = NULL;
	d->irq.nr = 0;
	spin_unlock(&d->irq.lock);
}
