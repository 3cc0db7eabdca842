/* SPDX-License-Identifier: MIT */
/* Global virtual interrupts: those of the machine, each of which one domain handles. */
#include "domain/domain.h"
#include "event/event.h"
#include "lib/errno.h"
#include "lib/lib.h"

/* NULL: dom0. Each holds a reference. Read without the lock. */
static struct domain *handlers[NR_VIRQS];
static spinlock_t lock;

void send_global_virq(unsigned int virq)
{
	struct domain *d = __atomic_load_n(&handlers[virq], __ATOMIC_ACQUIRE);

	if (!d)
		d = dom0;
	if (d && !READ_ONCE(d->is_dying))
		send_guest_global_virq(d, virq);
}

int set_global_virq_handler(struct domain *d, unsigned int virq)
{
	struct domain *old, *new = d == dom0 ? NULL : d;

	if (virq >= NR_VIRQS || !virq_is_global(virq))
		return -EINVAL;
	virq = (unsigned int)clamp_index(virq, NR_VIRQS);
	/* A dying one has given up its part already, and would keep this for ever. */
	if (new && (new->is_dying || !domain_try_hold(new)))
		return -ESRCH;
	spin_lock(&lock);
	old = handlers[virq];
	__atomic_store_n(&handlers[virq], new, __ATOMIC_RELEASE);
	spin_unlock(&lock);
	if (old)
		domain_put(old);
	return 0;
}

void clear_global_virq_handlers(struct domain *d)
{
	for (unsigned int virq = 0; virq < NR_VIRQS; virq++) {
		bool was;

		spin_lock(&lock);
		was = handlers[virq] == d;
		if (was)
			WRITE_ONCE(handlers[virq], NULL);
		spin_unlock(&lock);
		if (was)
			domain_put(d);
	}
}
