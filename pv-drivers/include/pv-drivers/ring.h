/* SPDX-License-Identifier: MIT */
/* The barriers that public/io/ring.h wants from who includes it. x86 orders all but a read after a write to elsewhere. */
#ifndef PV_DRIVERS_RING_H
#define PV_DRIVERS_RING_H

#include <stddef.h>

#define xen_mb()  __sync_synchronize()
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#include <public/io/ring.h>

#endif
