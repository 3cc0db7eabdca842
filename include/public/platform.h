/* SPDX-License-Identifier: MIT */
/*
 * Control of the machine by dom0: clock, firmware, processors, sleep.
 *
 * long HYPERVISOR_platform_op(struct xen_platform_op *op)
 *   IN     cmd                XENPF_*
 *   IN     interface_version  XENPF_INTERFACE_VERSION
 *   INOUT  u                  the structure that belongs to cmd
 *   returns 0 unless said otherwise, or
 *     -EPERM   the caller is not privileged
 *     -EACCES  wrong interface_version
 *     -EINVAL  an argument is malformed
 *     -ENOSYS  unknown cmd
 */
#ifndef __XEN_PUBLIC_PLATFORM_H__
#define __XEN_PUBLIC_PLATFORM_H__

#include "xen.h"

#define XENPF_INTERFACE_VERSION 0x03000001

/*
 * settime64: the wall clock shows secs, nsecs since 1970 when system time is system_time. It appears in
 * shared_info of all domains. settime32: the same with fewer bits. -EINVAL: mbz is not 0.
 */
#define XENPF_settime32 17
struct xenpf_settime32 {
	uint32_t secs;	      /* IN */
	uint32_t nsecs;	      /* IN */
	uint64_t system_time; /* IN */
};
typedef struct xenpf_settime32 xenpf_settime32_t;
#define XENPF_settime64 62
struct xenpf_settime64 {
	uint64_t secs;	      /* IN */
	uint32_t nsecs;	      /* IN */
	uint32_t mbz;	      /* 0 */
	uint64_t system_time; /* IN */
};
typedef struct xenpf_settime64 xenpf_settime64_t;
#define XENPF_settime XENPF_settime64
#define xenpf_settime xenpf_settime64
typedef struct xenpf_settime xenpf_settime_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_settime_t);

/*
 * Memory types (MTRR): add_memtype gives nr_mfns frames from mfn on a type (numbered as the processor
 * does) and tells which register it took and a handle to take it away again; del_memtype does that,
 * handle 0 meaning "whatever reg holds"; read_memtype tells what a register holds.
 */
#define XENPF_add_memtype 31
struct xenpf_add_memtype {
	xen_pfn_t mfn;	  /* IN */
	uint64_t nr_mfns; /* IN */
	uint32_t type;	  /* IN */
	uint32_t handle;  /* OUT */
	uint32_t reg;	  /* OUT */
};
typedef struct xenpf_add_memtype xenpf_add_memtype_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_add_memtype_t);

#define XENPF_del_memtype 32
struct xenpf_del_memtype {
	uint32_t handle; /* IN */
	uint32_t reg;	 /* IN */
};
typedef struct xenpf_del_memtype xenpf_del_memtype_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_del_memtype_t);

#define XENPF_read_memtype 33
struct xenpf_read_memtype {
	uint32_t reg;	  /* IN */
	xen_pfn_t mfn;	  /* OUT */
	uint64_t nr_mfns; /* OUT */
	uint32_t type;	  /* OUT */
};
typedef struct xenpf_read_memtype xenpf_read_memtype_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_read_memtype_t);

/* microcode_update: loads microcode in the vendor's format on all CPUs. */
#define XENPF_microcode_update 35
struct xenpf_microcode_update {
	XEN_GUEST_HANDLE(const_void) data; /* IN */
	uint32_t length;		   /* IN */
};
typedef struct xenpf_microcode_update xenpf_microcode_update_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_microcode_update_t);

/* platform_quirk: the chipset is known to be odd. */
#define XENPF_platform_quirk	 39
#define QUIRK_NOIRQBALANCING	 1 /* IO-APIC entries take any target */
#define QUIRK_IOAPIC_BAD_REGSEL	 2 /* the IO-APIC forgets which register was selected */
#define QUIRK_IOAPIC_GOOD_REGSEL 3 /* it does not */
struct xenpf_platform_quirk {
	uint32_t quirk_id; /* IN */
};
typedef struct xenpf_platform_quirk xenpf_platform_quirk_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_platform_quirk_t);

/*
 * efi_runtime_call: a call of the UEFI runtime services, their parameters and results in u, flags of
 * the function in misc (the result itself for the counter), and their status in status.
 */
#define XENPF_efi_runtime_call		      49
#define XEN_EFI_get_time		      1
#define XEN_EFI_set_time		      2
#define XEN_EFI_get_wakeup_time		      3
#define XEN_EFI_set_wakeup_time		      4
#define XEN_EFI_get_next_high_monotonic_count 5
#define XEN_EFI_get_variable		      6
#define XEN_EFI_set_variable		      7
#define XEN_EFI_get_next_variable_name	      8
#define XEN_EFI_query_variable_info	      9
#define XEN_EFI_query_capsule_capabilities    10
#define XEN_EFI_update_capsule		      11

struct xenpf_efi_time {
	uint16_t year;
	uint8_t month;
	uint8_t day;
	uint8_t hour;
	uint8_t min;
	uint8_t sec;
	uint32_t ns;
	int16_t tz; /* minutes from UTC */
	uint8_t daylight;
};

struct xenpf_efi_guid {
	uint32_t data1;
	uint16_t data2;
	uint16_t data3;
	uint8_t data4[8];
};

struct xenpf_efi_runtime_call {
	uint32_t function;  /* IN: XEN_EFI_* */
	uint32_t misc;	    /* INOUT */
	xen_ulong_t status; /* OUT */
	union {
#define XEN_EFI_GET_TIME_SET_CLEARS_NS 0x00000001
		struct {
			struct xenpf_efi_time time;
			uint32_t resolution;
			uint32_t accuracy;
		} get_time;
		struct xenpf_efi_time set_time;
#define XEN_EFI_GET_WAKEUP_TIME_ENABLED 0x00000001
#define XEN_EFI_GET_WAKEUP_TIME_PENDING 0x00000002
		struct xenpf_efi_time get_wakeup_time;
#define XEN_EFI_SET_WAKEUP_TIME_ENABLE	    0x00000001
#define XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY 0x00000002
		struct xenpf_efi_time set_wakeup_time;
#define XEN_EFI_VARIABLE_NON_VOLATILE	    0x00000001
#define XEN_EFI_VARIABLE_BOOTSERVICE_ACCESS 0x00000002
#define XEN_EFI_VARIABLE_RUNTIME_ACCESS	    0x00000004
		struct {
			XEN_GUEST_HANDLE(void) name; /* UTF-16 */
			xen_ulong_t size;	     /* of data */
			XEN_GUEST_HANDLE(void) data;
			struct xenpf_efi_guid vendor_guid;
		} get_variable, set_variable;
		struct {
			xen_ulong_t size; /* of name */
			XEN_GUEST_HANDLE(void) name;
			struct xenpf_efi_guid vendor_guid;
		} get_next_variable_name;
#define XEN_EFI_VARINFO_BOOT_SNAPSHOT 0x00000001
		struct {
			uint32_t attr;
			uint64_t max_store_size;
			uint64_t remain_store_size;
			uint64_t max_size;
		} query_variable_info;
		struct {
			XEN_GUEST_HANDLE(void) capsule_header_array;
			xen_ulong_t capsule_count;
			uint64_t max_capsule_size;
			uint32_t reset_type;
		} query_capsule_capabilities;
		struct {
			XEN_GUEST_HANDLE(void) capsule_header_array;
			xen_ulong_t capsule_count;
			uint64_t sg_list; /* machine address */
		} update_capsule;
	} u;
};
typedef struct xenpf_efi_runtime_call xenpf_efi_runtime_call_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_efi_runtime_call_t);

/*
 * firmware_info: what the firmware told at boot. index counts the items of a type (or is XEN_FW_EFI_*).
 * -ESRCH: there is no such item.
 */
#define XENPF_firmware_info	    50
#define XEN_FW_DISK_INFO	    1 /* BIOS disks: interrupt 13 functions 8, 41, 48 */
#define XEN_FW_DISK_MBR_SIGNATURE   2 /* their signatures */
#define XEN_FW_VBEDDC_INFO	    3 /* monitor: interrupt 10 function 4f15 */
#define XEN_FW_EFI_INFO		    4 /* UEFI: */
#define XEN_FW_EFI_VERSION	    0
#define XEN_FW_EFI_CONFIG_TABLE	    1
#define XEN_FW_EFI_VENDOR	    2
#define XEN_FW_EFI_MEM_INFO	    3
#define XEN_FW_EFI_RT_VERSION	    4
#define XEN_FW_EFI_PCI_ROM	    5
#define XEN_FW_EFI_APPLE_PROPERTIES 6
#define XEN_FW_KBD_SHIFT_FLAGS	    5 /* keyboard: interrupt 16 function 2 */
struct xenpf_firmware_info {
	uint32_t type;	/* IN: XEN_FW_* */
	uint32_t index; /* IN */
	union {
		struct {
			uint8_t device;		    /* BIOS drive number */
			uint8_t version;	    /* of the extensions */
			uint16_t interface_support; /* bits of function 41 */
			uint16_t legacy_max_cylinder;
			uint8_t legacy_max_head;
			uint8_t legacy_sectors_per_track;
			XEN_GUEST_HANDLE(void)
			edd_params; /* result of function 48; its first 16
							    * bits are the buffer's size IN */
		} disk_info;
		struct {
			uint8_t device;		/* BIOS drive number */
			uint32_t mbr_signature; /* bytes 0x1b8 on of the boot sector */
		} disk_mbr_signature;
		struct {
			uint8_t capabilities;
			uint8_t edid_transfer_time;
			XEN_GUEST_HANDLE(uint8) edid; /* buffer of 128 bytes */
		} vbeddc_info;
		union xenpf_efi_info {
			uint32_t version;
			struct {
				uint64_t addr; /* of the configuration tables */
				uint32_t nent; /* how many */
			} cfg;
			struct {
				uint32_t revision;
				uint32_t bufsz;		     /* IN: bytes in name */
				XEN_GUEST_HANDLE(void) name; /* UTF-16 */
			} vendor;
			struct {
				uint64_t addr; /* IN */
				uint64_t size; /* INOUT: bytes from addr on, cut to addr's area */
				uint64_t attr;
				uint32_t type;
			} mem;
			struct {
				uint16_t segment; /* IN */
				uint8_t bus;	  /* IN */
				uint8_t devfn;	  /* IN */
				uint16_t vendor;  /* IN */
				uint16_t devid;	  /* IN */
				uint64_t address; /* OUT */
				xen_ulong_t size; /* OUT */
			} pci_rom;
			struct {
				uint64_t address;
				xen_ulong_t size;
			} apple_properties;
		} efi_info;
		uint8_t kbd_shift_flags;
	} u; /* OUT, except where IN is said */
};
typedef struct xenpf_firmware_info xenpf_firmware_info_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_firmware_info_t);

/*
 * enter_acpi_sleep: enters sleep state sleep_state (5: switches the machine off). val_a and val_b: contents
 * for the two control registers (sleep type fields filled in), or with SLEEP_EXTENDED the sleep types
 * themselves. What of it comes back returns 0.
 */
#define XENPF_enter_acpi_sleep 51
struct xenpf_enter_acpi_sleep {
	uint16_t val_a;	      /* IN */
	uint16_t val_b;	      /* IN */
	uint32_t sleep_state; /* IN */
#define XENPF_ACPI_SLEEP_EXTENDED 0x00000001
	uint32_t flags; /* IN */
};
typedef struct xenpf_enter_acpi_sleep xenpf_enter_acpi_sleep_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_enter_acpi_sleep_t);

/* change_freq: dom0 has changed a CPU's frequency (and with it the rate of its TSC). */
#define XENPF_change_freq 52
struct xenpf_change_freq {
	uint32_t flags; /* 0 */
	uint32_t cpu;	/* IN */
	uint64_t freq;	/* IN: Hz */
};
typedef struct xenpf_change_freq xenpf_change_freq_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_change_freq_t);

/* getidletime: how long CPUs have been idle; bits of CPUs that do not exist are cleared. */
#define XENPF_getidletime 53
struct xenpf_getidletime {
	XEN_GUEST_HANDLE(uint8) cpumap_bitmap; /* INOUT: which CPUs */
	uint32_t cpumap_nr_cpus;	       /* IN: bits in it */
	XEN_GUEST_HANDLE(uint64) idletime;     /* OUT: nanoseconds, by CPU number */
	uint64_t now;			       /* OUT: system time of that */
};
typedef struct xenpf_getidletime xenpf_getidletime_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_getidletime_t);

/*
 * set_processor_pminfo: what ACPI says of a processor's power management, since only dom0 can interpret
 * it: idle states (CX, from _CST and _CSD), performance states (PX, from _PCT, _PSS, _PPC, _PSD),
 * or the capabilities for _PDC (PDC, INOUT). Fields are those of ACPI's objects.
 */
#define XENPF_set_processor_pminfo 54

#define XEN_PROCESSOR_PM_CX	   1
#define XEN_PROCESSOR_PM_PX	   2
#define XEN_PROCESSOR_PM_TX	   4

#define XEN_PM_CX		   0
#define XEN_PM_PX		   1
#define XEN_PM_TX		   2
#define XEN_PM_PDC		   3

#define XEN_PX_PCT		   1
#define XEN_PX_PSS		   2
#define XEN_PX_PPC		   4
#define XEN_PX_PSD		   8

struct xen_power_register {
	uint32_t space_id;
	uint32_t bit_width;
	uint32_t bit_offset;
	uint32_t access_size;
	uint64_t address;
};

struct xen_processor_csd {
	uint32_t domain;
	uint32_t coord_type;
	uint32_t num;
};
typedef struct xen_processor_csd xen_processor_csd_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_csd_t);

struct xen_processor_cx {
	struct xen_power_register reg;
	uint8_t type;	  /* n of Cn */
	uint32_t latency; /* worst case, microseconds */
	uint32_t power;	  /* milliwatts */
	uint32_t dpcnt;	  /* elements of dp */
	XEN_GUEST_HANDLE(xen_processor_csd_t) dp;
};
typedef struct xen_processor_cx xen_processor_cx_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_cx_t);

struct xen_processor_flags {
	uint32_t bm_control : 1;
	uint32_t bm_check : 1;
	uint32_t has_cst : 1;
	uint32_t power_setup_done : 1;
	uint32_t bm_rld_set : 1;
};

struct xen_processor_power {
	uint32_t count; /* elements of states */
	struct xen_processor_flags flags;
	XEN_GUEST_HANDLE(xen_processor_cx_t) states;
};

struct xen_pct_register {
	uint8_t descriptor;
	uint16_t length;
	uint8_t space_id;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t reserved;
	uint64_t address;
};

struct xen_processor_px {
	uint64_t core_frequency;     /* MHz */
	uint64_t power;		     /* milliwatts */
	uint64_t transition_latency; /* microseconds */
	uint64_t bus_master_latency; /* microseconds */
	uint64_t control;
	uint64_t status;
};
typedef struct xen_processor_px xen_processor_px_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_px_t);

struct xen_psd_package {
	uint64_t num_entries;
	uint64_t revision;
	uint64_t domain;
	uint64_t coord_type;
	uint64_t num_processors;
};

struct xen_processor_performance {
	uint32_t flags;		 /* which parts are given: XEN_PX_* */
	uint32_t platform_limit; /* _PPC */
	struct xen_pct_register control_register;
	struct xen_pct_register status_register;
	uint32_t state_count; /* elements of states */
	XEN_GUEST_HANDLE(xen_processor_px_t) states;
	struct xen_psd_package domain_info;
#define XEN_CPUPERF_SHARED_TYPE_HW  1 /* the hardware coordinates */
#define XEN_CPUPERF_SHARED_TYPE_ALL 2 /* set the frequency on all CPUs of the group */
#define XEN_CPUPERF_SHARED_TYPE_ANY 3 /* on any of them */
	uint32_t shared_type;
};
typedef struct xen_processor_performance xen_processor_performance_t;
DEFINE_XEN_GUEST_HANDLE(xen_processor_performance_t);

struct xenpf_set_processor_pminfo {
	uint32_t id;   /* IN: ACPI's processor ID */
	uint32_t type; /* IN: XEN_PM_* */
	union {
		struct xen_processor_power power;
		struct xen_processor_performance perf;
		XEN_GUEST_HANDLE(uint32) pdc;
	} u;
};
typedef struct xenpf_set_processor_pminfo xenpf_set_processor_pminfo_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_set_processor_pminfo_t);

/* get_cpuinfo: one of the hypervisor's CPUs. */
#define XENPF_get_cpuinfo 55
struct xenpf_pcpuinfo {
	uint32_t xen_cpuid;   /* IN: the hypervisor's number */
	uint32_t max_present; /* OUT: the highest number present */
#define XEN_PCPU_FLAGS_ONLINE  1
#define XEN_PCPU_FLAGS_INVALID 2 /* there is no such CPU */
	uint32_t flags;		 /* OUT */
	uint32_t apic_id;	 /* OUT */
	uint32_t acpi_id;	 /* OUT */
};
typedef struct xenpf_pcpuinfo xenpf_pcpuinfo_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_pcpuinfo_t);

/* get_cpu_version: what CPUID says of its make; family 0: there is no such CPU. */
#define XENPF_get_cpu_version 48
struct xenpf_pcpu_version {
	uint32_t xen_cpuid;   /* IN */
	uint32_t max_present; /* OUT */
	char vendor_id[12];   /* OUT */
	uint32_t family;      /* OUT */
	uint32_t model;	      /* OUT */
	uint32_t stepping;    /* OUT */
};
typedef struct xenpf_pcpu_version xenpf_pcpu_version_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_pcpu_version_t);

/* cpu_online, cpu_offline: starts or stops a CPU. */
#define XENPF_cpu_online  56
#define XENPF_cpu_offline 57
struct xenpf_cpu_ol {
	uint32_t cpuid; /* IN */
};
typedef struct xenpf_cpu_ol xenpf_cpu_ol_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_cpu_ol_t);

/* cpu_hotadd: a CPU was added to the machine. Returns the number that the hypervisor gave it. */
#define XENPF_cpu_hotadd 58
struct xenpf_cpu_hotadd {
	uint32_t apic_id; /* IN */
	uint32_t acpi_id; /* IN */
	uint32_t pxm;	  /* IN: proximity domain */
};
typedef struct xenpf_cpu_hotadd xenpf_cpu_hotadd_t;

/* mem_hotadd: memory was added to the machine: frames spfn to epfn - 1. */
#define XENPF_mem_hotadd 59
struct xenpf_mem_hotadd {
	uint64_t spfn;	/* IN */
	uint64_t epfn;	/* IN */
	uint32_t pxm;	/* IN */
	uint32_t flags; /* IN */
};
typedef struct xenpf_mem_hotadd xenpf_mem_hotadd_t;

/* core_parking: how many CPUs are to be kept idle to save power, or are. */
#define XENPF_core_parking   60
#define XEN_CORE_PARKING_SET 1
#define XEN_CORE_PARKING_GET 2
struct xenpf_core_parking {
	uint32_t type;	    /* IN: XEN_CORE_PARKING_* */
	uint32_t idle_nums; /* IN of SET, OUT of GET */
};
typedef struct xenpf_core_parking xenpf_core_parking_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_core_parking_t);

/*
 * resource_op: reads or writes registers (of a safe few) on one CPU, in order and in one go. A read of
 * the TSC gives system time, taken together with the read before it. Returns the number of entries
 * done; the entry after those has the error in u.ret.
 */
#define XENPF_resource_op	  61
#define XEN_RESOURCE_OP_MSR_READ  0
#define XEN_RESOURCE_OP_MSR_WRITE 1

struct xenpf_resource_entry {
	union {
		uint32_t cmd; /* IN: XEN_RESOURCE_OP_* */
		int32_t ret;  /* OUT */
	} u;
	uint32_t rsvd; /* 0 */
	uint64_t idx;  /* IN: which register */
	uint64_t val;  /* INOUT */
};
typedef struct xenpf_resource_entry xenpf_resource_entry_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_resource_entry_t);

struct xenpf_resource_op {
	uint32_t nr_entries; /* IN */
	uint32_t cpu;	     /* IN */
	XEN_GUEST_HANDLE(xenpf_resource_entry_t) entries;
};
typedef struct xenpf_resource_op xenpf_resource_op_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_resource_op_t);

/* get_symbol: one symbol of the hypervisor; start with symnum 0, go on until it does not change. */
#define XENPF_get_symbol 63
struct xenpf_symdata {
	uint32_t namelen;	     /* IN: size of name; OUT: length of the symbol's */
	uint32_t symnum;	     /* IN: which; OUT: the next */
	XEN_GUEST_HANDLE(char) name; /* OUT */
	uint64_t address;	     /* OUT */
	char type;		     /* OUT: letter as nm prints it */
};
typedef struct xenpf_symdata xenpf_symdata_t;
DEFINE_XEN_GUEST_HANDLE(xenpf_symdata_t);

struct xen_platform_op {
	uint32_t cmd;
	uint32_t interface_version;
	union {
		xenpf_settime_t settime;
		xenpf_settime32_t settime32;
		xenpf_settime64_t settime64;
		xenpf_add_memtype_t add_memtype;
		xenpf_del_memtype_t del_memtype;
		xenpf_read_memtype_t read_memtype;
		xenpf_microcode_update_t microcode;
		xenpf_platform_quirk_t platform_quirk;
		xenpf_efi_runtime_call_t efi_runtime_call;
		xenpf_firmware_info_t firmware_info;
		xenpf_enter_acpi_sleep_t enter_acpi_sleep;
		xenpf_change_freq_t change_freq;
		xenpf_getidletime_t getidletime;
		xenpf_set_processor_pminfo_t set_pminfo;
		xenpf_pcpuinfo_t pcpu_info;
		xenpf_pcpu_version_t pcpu_version;
		xenpf_cpu_ol_t cpu_ol;
		xenpf_cpu_hotadd_t cpu_add;
		xenpf_mem_hotadd_t mem_add;
		xenpf_core_parking_t core_parking;
		xenpf_resource_op_t resource_op;
		xenpf_symdata_t symdata;
		uint8_t pad[128];
	} u;
};
typedef struct xen_platform_op xen_platform_op_t;
DEFINE_XEN_GUEST_HANDLE(xen_platform_op_t);

#endif /* __XEN_PUBLIC_PLATFORM_H__ */
