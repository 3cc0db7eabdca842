/* SPDX-License-Identifier: MIT */
/*
 * What public/io/ring.h wants from whoever includes it. Loads are not reordered with loads on x86, nor stores with stores, so
 * two of the three are for the compiler only.
 */
#ifndef PV_DRIVERS_BARRIER_H
#define PV_DRIVERS_BARRIER_H

#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __asm__ volatile("" ::: "memory")
#define xen_wmb() __asm__ volatile("" ::: "memory")

#endif
