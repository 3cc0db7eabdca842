/* SPDX-License-Identifier: MIT */
/*
 * Forced into every hypervisor source: nothing is exported, so every reference to a symbol is
 * relative to the instruction pointer and never goes through a global offset table.
 */
#ifndef __ASSEMBLY__
#pragma GCC visibility push(hidden)
#endif
