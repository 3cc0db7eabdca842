/* SPDX-License-Identifier: MIT */
/*
 * What a domain and a vCPU are made of: data only, so that every layer may see its own part. The
 * part named after a folder is written by that folder alone; others read it through its header's
 * functions unless a comment says that they may read the field.
 */
#ifndef DOMAIN_TYPES_H
#define DOMAIN_TYPES_H

#include "lib/types.h"
#include "lib/list.h"
#include "lib/spinlock.h"
#include "cpu/grace.h"
#include "mm/range_set.h"
#include "time/timer.h"
#include <public/xen.h>
#include <public/vcpu.h>
#include <public/event_channel.h>

#define MAX_VCPUS	64
#define NR_WATCHDOGS	2
#define GDT_FRAMES	14 /* that a guest may supply: FIRST_RESERVED_GDT_PAGE */
#define GDT_ENTRIES_MAX (GDT_FRAMES * 512)

/* ---- mm/ ---- */
struct domain_mm {
	/*
	 * Serialises validation, changes and release of this domain's page tables (frames it owns
	 * whose type is L1..L4 or descriptor table). Reference and writable-type counts are atomic
	 * and need no lock, so that foreign mappings and grants don't take it.
	 */
	spinlock_t lock;
	uint64_t tot_pages; /* frames owned; under page_lock */
	uint64_t max_pages; /* limit for tot_pages */
	uint64_t claimed;   /* free frames that nobody else gets; under the allocator's lock */
	spinlock_t page_lock;
	void *memory_map; /* as set for it, 20 bytes an entry; under page_lock */
	unsigned int memory_map_entries;
	int budget; /* work left before the lock must be let go for a moment; under lock */
	/* The domain never had frames below ~frames_from, or from frames_to on: both begin at 0 and rise. */
	mfn_t frames_from, frames_to;
	mfn_t relinquish_next; /* progress of domain_relinquish_memory() */
	uint64_t audited;      /* frames that the audit found */
	bool audit_locked;
	uint64_t vm_assist;	    /* bit per VMASST_TYPE_*; pv/ writes */
	struct range_set io_frames; /* of devices, that the tools let it map */
};

/* ---- grant/ ---- */
#define GRANT_MAX_FRAMES	64   /* of a table */
#define GRANT_MAX_STATUS_FRAMES 8    /* version 2: 2048 entries' states each */
#define GRANTS_PER_FRAME	512  /* version 1; version 2 has half of them */
#define GRANT_MAPPING_FRAMES	1024 /* of a domain's records of what it maps */

/* How an entry of the table is used; meaningful while uses is not 0. mm/audit.c recounts what it holds. */
struct grant_active {
	uint32_t mfn; /* of the domain's frame */
	domid_t user; /* the domain that uses it */
	bool partial; /* for copies only */
	uint32_t uses,
	    writers; /* not 0: a reference on the frame, with writable type if writers is not */
};
#define GRANT_NO_FRAME UINT32_MAX /* transitive: the frame is another's, who counts it */

/* What a domain has mapped; its index is the handle. */
struct grant_mapping {
	uint32_t mfn;
	domid_t granter;
	uint16_t kind; /* GNTMAP_* of what is mapped; 0: free */
	uint32_t ref;  /* free: the next free one plus 1, 0: none */
	uint32_t unused;
};

struct domain_grant {
	spinlock_t lock; /* table and active; never held together with mm.lock or another's */
	unsigned int max_frames, max_mapping_frames, max_version; /* this domain's limits */
	unsigned int version, nr_frames, nr_status_frames;
	unsigned int in_use; /* entries whose active has uses */
	bool closing;	     /* the domain is at its end: the frames go with the last use */
	/* Each set once, until the domain is gone. The first two are shared with the domain. */
	void *table[GRANT_MAX_FRAMES];
	uint16_t *status[GRANT_MAX_STATUS_FRAMES];
	struct grant_active *active[GRANT_MAX_FRAMES];

	/* Under the domain's own mm.lock. Each page set once, too. */
	struct grant_mapping **mappings;
	uint32_t nr_mappings;  /* handles that were ever given out */
	uint32_t free_mapping; /* the first of the list plus 1; 0: none */
};

/* ---- event/ ---- */
#define PORTS_PER_BUCKET      128
#define MAX_EVTCHN_BUCKETS    (EVTCHN_FIFO_NR_CHANNELS / PORTS_PER_BUCKET)
#define WORDS_PER_EVENT_PAGE  (PAGE_SIZE / sizeof(event_word_t))
#define MAX_EVENT_ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_EVENT_PAGE)

/* A vCPU's queues in the FIFO ABI: event/fifo.c. */
struct fifo_queues {
	spinlock_t lock;
	evtchn_port_t
	    tail[EVTCHN_FIFO_MAX_QUEUES];	 /* linked last; 0: none, or it is elsewhere now */
	struct evtchn_fifo_control_block *block; /* the guest's, or early */
	mfn_t block_mfn; /* holds a writable type reference; or INVALID_MFN */
	struct evtchn_fifo_control_block early;
};

struct evtchn_fifo {
	bool enabled;				   /* else the two-level ABI is in force again */
	unsigned int nr_words;			   /* ports below this have an event word */
	spinlock_t move_lock;			   /* before the queues' locks */
	event_word_t *page[MAX_EVENT_ARRAY_PAGES]; /* each holds a writable type reference */
	struct fifo_queues queues[];		   /* max_vcpus */
};

struct evtchn_bucket; /* event/port.h */
struct domain_evtchn {
	spinlock_t lock;
	/* Each set once, until the domain dies; the table is replaced by a larger one with the FIFO ABI. */
	struct evtchn_bucket **bucket;
	unsigned int valid;	 /* ports below this exist (bucket allocated) */
	unsigned int nr_buckets; /* that there may be: of the ABI in force */
	evtchn_port_t max_port;	 /* this domain's limit */
	unsigned int open;	 /* ports in use, without port 0 */
	uint64_t
	    has_free[MAX_EVTCHN_BUCKETS / 64]; /* bit per bucket with a port that is not in use */
	uint64_t polling; /* bit per vCPU that waits in sched_op poll; atomic */
	struct evtchn_fifo
	    *fifo; /* NULL until the guest first asks for it; then as long as the domain */
};

struct vcpu_evtchn {
	evtchn_port_t virq_port[NR_VIRQS]; /* 0: unbound; under the domain's event lock */
	evtchn_port_t
	    poll_port; /* while its bit in polling is set: 0 any of several, else the only port */
};

/* ---- irq/ ---- */
struct pirq; /* irq/internal.h */
struct domain_irq {
	spinlock_t lock;   /* mapping and binding; after evtchn.lock */
	struct pirq *pirq; /* nr numbers; NULL until the first is given */
	unsigned int nr;
	uint64_t *
	    eoi_map; /* a frame of the domain, in the direct map: bit per number that needs an eoi */
	bool eoi_unmasks;	/* pirq_eoi_gmfn_v1 */
	struct range_set lines; /* that the tools let it bind */
};

/* ---- pv/ ---- */
struct pv_callback {
	uint64_t eip;
	bool mask_events; /* upcall mask set on delivery (CALLBACKF_mask_events) */
};

/* One vector of the guest's trap table. eip 0 and cs 0: none. */
struct pv_trap {
	uint64_t eip;
	uint16_t cs;
	uint8_t dpl;	  /* least privileged ring that may reach it by INT n */
	bool mask_events; /* an interrupt gate: upcall mask set on delivery */
};

struct vcpu_pv {
	/* Which of the two roots is loaded; the guest's view of its privilege. */
	bool kernel_mode;
	uint16_t kernel_ss;
	uint64_t kernel_sp;
	struct pv_callback event, failsafe, syscall, syscall32, sysenter, nmi;
	struct pv_trap trap[256];
	uint64_t ctrlreg[8]; /* the guest's view: 0 (TS, ...), 2, 4 */
	uint64_t debugreg[8];
	uint64_t fs_base, gs_base_kernel, gs_base_user; /* valid while not current; see context.c */
	uint16_t ds, es, fs, gs;			/* saved selectors while not current */
	uint64_t gdt_frames[GDT_FRAMES];		/* mfns, typed seg_desc; mm/ */
	unsigned int gdt_ents;
	uint64_t ldt_base;
	unsigned int ldt_ents;
	uint32_t ldt_mapped; /* pages of the LDT window that hold a typed frame of this LDT */
	uint64_t ldt_frames[16];
	unsigned int
	    iopl;      /* 0..3, as the guest kernel set it: privilege for in/out/cli of ring 3 */
	vaddr_t iobmp; /* guest address of its I/O permission bitmap */
	unsigned int iobmp_bits;
	bool nmi_pending;
	bool nmi_masked;   /* an NMI handler runs: until the next iret hypercall */
	bool nmi_deferred; /* another NMI came meanwhile */
	uint32_t tsc_aux;  /* in MSR_TSC_AUX while current, where the CPU has it */
	uint64_t
	    xcr0; /* in XCR0 while current, where the CPU has XSAVE; a subset of cpu_features.xcr0 */
};

/* ---- sched/ ---- */
enum runstate { VCPU_RUNNING = 0, VCPU_RUNNABLE = 1, VCPU_BLOCKED = 2, VCPU_OFFLINE = 3 };

struct vcpu_sched {
	unsigned int
	    cpu; /* whose run queue owns it; readable by all, changes under its queue's lock */
	struct list queue; /* in that CPU's run queue while runnable and not running */
	uint64_t vruntime;
	stime_t started;	 /* when it last began to run */
	bool running;		 /* on a CPU now, its registers live there */
	bool patient;		 /* only while it wakes others: sched_wake_patiently() */
	cpumask_t affinity;	 /* where it may run */
	cpumask_t soft_affinity; /* and better does */
	cpumask_t unpinned; /* what affinity is again after sched_op pin_override; 0: not pinned */
};

/* ---- time/ ---- */
struct vcpu_time {
	struct timer singleshot, periodic, poll;
	stime_t period;	     /* 0: no periodic timer */
	vaddr_t area_filled; /* the time_area that update_vcpu_time() wrote last */
};

/* Why a vCPU doesn't run: bits of vcpu.pause_flags, atomic. Runs only when all are 0. */
#define VPF_BLOCKED  0 /* sched_op block/poll */
#define VPF_DOWN     2 /* vcpu_op down, or never initialised */
#define VPF_SHUTDOWN 3 /* the domain has shut down */
#define VPF_PAUSED   4 /* the domain is paused: domain_pause() */
#define VPF_DYING    5 /* and does not come back */
#define VPF_CAPPED   6 /* it has used what its cap allows: sched/cap.c */

struct vcpu {
	unsigned int id;
	bool is_idle;
	bool initialised; /* has a context */
	struct domain *domain;

	/* Guest registers while not running; while running they are in its CPU's cpu_info. */
	struct cpu_user_regs regs;
	unsigned long pause_flags;

	/* Always valid, writable: in shared_info, the registered frame, or dummy_vcpu_info (event/). */
	struct vcpu_info *vcpu_info;
	mfn_t
	    vcpu_info_mfn; /* registered by the guest, holds a writable type reference; or INVALID_MFN */

	mfn_t kernel_root,
	    user_root;	   /* L4 frames with a type reference each; INVALID_MFN if none. mm/ */
	mfn_t put_pending; /* a table whose release was preempted; 0: none. mm/ */

	struct vcpu_pv pv;
	struct vcpu_evtchn evtchn;
	struct vcpu_sched sched;
	struct vcpu_time time;

	/* runstate: kept by sched/ (runstate_change()), shown by time/ */
	struct vcpu_runstate_info runstate;
	vaddr_t runstate_area; /* guest virtual address, 0: none */
	vaddr_t time_area;     /* same, vcpu_time_memory_area */

	void *fpu;	     /* XSAVE or FXSAVE area, 64-byte aligned */
	unsigned int ran_on; /* the CPU that ran it last; cpu/context.c */
};

/* What vCPUs without a place of their own yet share (ids of 32 and above); read by nobody. */
extern struct vcpu_info dummy_vcpu_info;

/* How far the end of a domain has come: domain/kill.c. */
enum kill_phase {
	KILL_NOT,
	KILL_STOP,
	KILL_EVENTS,
	KILL_QUIET,
	KILL_VCPUS,
	KILL_MEMORY,
	KILL_GRANTS,
	KILL_DONE
};

struct domain {
	domid_t id;
	bool is_privileged;
	bool is_dying;	    /* being destroyed: nothing new begins with it */
	bool is_shut_down;  /* its vCPUs are to stop; under state_lock */
	bool shutdown_done; /* and all have: the tools are told */
	bool has_vcpus;	    /* the tools have asked for them; there they are from the start */
	int shutdown_code; /* SHUTDOWN_*, if set before (sched_op shutdown_code) or is_shut_down; else -1 */
	unsigned int max_vcpus;
	struct vcpu *vcpu[MAX_VCPUS]; /* set once, before the domain runs */

	/* domain.c: who keeps the structure, and how it is found. */
	uint32_t refs;	     /* atomic */
	struct domain *next; /* in order of id */
	struct domain *hash_next;
	struct domain *work_next; /* with work_queued: in the list of SOFTIRQ_DOMAIN */
	bool work_queued;
	struct grace grace;

	spinlock_t state_lock; /* pauses, shutdown; sched's locks nest inside */
	unsigned int pauses;   /* with the tools' */
	unsigned int control_pauses;
	evtchn_port_t
	    suspend_port; /* its own, whose peer is told of a suspend in place of VIRQ_DOM_EXC; 0: none */

	/* kill.c */
	enum kill_phase kill_phase;
	bool quiet; /* the grace period after KILL_EVENTS is over */
	uint32_t kill_next;

	/* What the tools set, for them to read. */
	xen_domain_handle_t handle;
	uint32_t ssidref;
	bool is_xs_domain;
	bool debugger; /* setdebugging */
	uint32_t tsc_mode, tsc_incarnation;
	bool creation_finished;	       /* it was unpaused: its processor is what it is now */
	struct cpu_policy *cpu_policy; /* pv/cpu_policy.c; NULL: the default */
	struct range_set ports;	       /* that the tools let it use; pv/ioport.c */

	struct shared_info
	    *shared_info; /* a frame of the domain, in the direct map; NULL in its end */
	mfn_t shared_info_mfn;
	spinlock_t
	    vcpu_lock; /* a vCPU's context and registered places are set once; before mm.lock */
	cpumask_t
	    dirty_cpus; /* CPUs whose TLBs may hold this domain's entries: those it runs or ran
				 on since they last switched to another root; atomic */

	/* sched_op watchdog: each in use by the guest as its bit tells, under the lock. */
	spinlock_t watchdog_lock;
	uint32_t watchdogs;
	struct timer watchdog[NR_WATCHDOGS];

	unsigned int sched_weight; /* sched/sched.h */
	struct domain_cap {
		spinlock_t lock;      /* a leaf */
		unsigned int percent; /* of one CPU; 0: no cap */
		stime_t period;	      /* when the present one began */
		int64_t used;	      /* ns, with what was over in earlier ones */
		struct timer timer;
	} cap; /* sched/cap.c */

	struct domain_mm mm;
	struct domain_grant grant;
	struct domain_evtchn evtchn;
	struct domain_irq irq;
	struct domain_time {
		int64_t time_offset_seconds;
	} time;
};

#endif
