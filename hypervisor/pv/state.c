/* SPDX-License-Identifier: MIT */
/* A vCPU's PV state before its kernel has set anything. */
#include "pv/internal.h"
#include "lib/lib.h"

void vcpu_pv_init(struct vcpu *v)
{
	memset(&v->pv, 0, sizeof(v->pv));
	v->pv.kernel_mode = true;
	v->pv.kernel_ss = FLAT_KERNEL_SS;
	v->pv.event.mask_events = true;
	v->pv.debugreg[6] = DR6_RESET;
	v->pv.debugreg[7] = DR7_RESET;
	v->pv.xcr0 = cpu_features.xcr0;
}
