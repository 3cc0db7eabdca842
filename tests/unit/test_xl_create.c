/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/create.c dom0-tools/xl/layout.c dom0-tools/xl/writer.c dom0-tools/xl/device.c dom0-tools/xl/device_layout.c dom0-tools/xl/toolstack.c dom0-tools/xl/config.c dom0-tools/xl/pool.c dom0-tools/xl/domain_config.c dom0-tools/xl/keys.c dom0-tools/xl/cpu_set.c dom0-tools/xl/device_config.c
// flags: -Iguest/include -Ipv-drivers/include -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__
/*
 * The making and ending of domains, over a hypervisor and a store of a few lines each that fail when they are told to:
 * whichever step fails, nothing is left.
 */
#include "unit.h"
#include <guest/clock.h>
#include <public/errno.h>
#include "control/control.h"
#include "xl/build.h"
#include <pv-drivers/xenbus.h>
#include "xl/create.h"
#include "xl/device.h"
#include "xl/random.h"

/* The step that fails, counted from 1 in the order of calls; 0: none. */
static unsigned int failing, step;

static bool fails(void)
{
	return ++step == failing;
}

/* The hypervisor: domains by number. */

#define DOMAINS 8

static struct fake_domain {
	bool exists;
	uint8_t uuid[16];
	uint64_t max_kib;
	unsigned int weight, vcpus, ports;
	struct control_cpus hard;
} domains[DOMAINS];
static uint64_t free_pages;

long control_physinfo(struct xen_sysctl_physinfo *info)
{
	*info = (struct xen_sysctl_physinfo){
	    .free_pages = free_pages, .total_pages = 1 << 20, .max_cpu_id = 3};
	return fails() ? -XEN_EPERM : 0;
}

static domid_t wanted; /* number of a new domain; 0: any */

long control_create_domain(const struct xen_domctl_createdomain *config, domid_t *domid)
{
	wanted = *domid;
	if (wanted && domains[wanted].exists)
		return -XEN_EEXIST;
	if (fails())
		return -XEN_ENOMEM;
	for (domid_t i = 1; i < DOMAINS; i++)
		if (!domains[i].exists && (!wanted || i == wanted)) {
			domains[i] =
			    (struct fake_domain){.exists = true, .vcpus = config->max_vcpus};
			memcpy(domains[i].uuid, config->handle, 16);
			*domid = i;
			return 0;
		}
	return -XEN_ENOSPC;
}

long control_destroy(domid_t domid)
{
	if (!domains[domid].exists)
		return -XEN_ESRCH;
	domains[domid].exists = false;
	return 0;
}

long control_max_vcpus(domid_t domid, unsigned int max)
{
	assert_int_equal(max, domains[domid].vcpus);
	return fails() ? -XEN_ENOMEM : 0;
}

long control_max_mem(domid_t domid, uint64_t kib)
{
	domains[domid].max_kib = kib;
	return fails() ? -XEN_ENOMEM : 0;
}

static char given[200]; /* hardware, in the order in which it was given */

static long give(const char *what, domid_t domid, uint64_t first, uint64_t count)
{
	size_t used = strlen(given);

	if (fails())
		return -XEN_ENOSPC;
	snprintf(given + used, sizeof(given) - used, "%u: %s %llx+%llx\n", domid, what,
		 (unsigned long long)first, (unsigned long long)count);
	return 0;
}

long control_map_line(domid_t domid, uint32_t line)
{
	return give("line", domid, line, 1);
}

long control_permit_irq(domid_t domid, uint32_t pirq, bool allow)
{
	assert_true(allow);
	return give("irq", domid, pirq, 1);
}

long control_permit_iomem(domid_t domid, uint64_t mfn, uint64_t count, bool allow)
{
	assert_true(allow);
	return give("frames", domid, mfn, count);
}

long control_permit_ioports(domid_t domid, uint32_t first, uint32_t count, bool allow)
{
	assert_true(allow);
	return give("ports", domid, first, count);
}

static unsigned long claimed;

long control_claim(domid_t domid, unsigned long pages)
{
	claimed = pages;
	return fails() ? -XEN_ENOMEM : 0;
}

long control_set_handle(domid_t domid, const xen_domain_handle_t handle)
{
	memcpy(domains[domid].uuid, handle, 16);
	return 0;
}

long control_set_affinity(domid_t domid, unsigned int vcpu, const struct control_cpus *hard,
			  const struct control_cpus *soft)
{
	assert_null(soft);
	domains[domid].hard = *hard;
	return fails() ? -XEN_EINVAL : 0;
}

long control_set_scheduling(domid_t domid, unsigned int weight, unsigned int cap)
{
	domains[domid].weight = weight;
	return fails() ? -XEN_EINVAL : 0;
}

long control_alloc_unbound(domid_t domid, domid_t remote)
{
	return fails() ? -XEN_ENOSPC : (long)++domains[domid].ports;
}

static void describe(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	*info = (struct xen_domctl_getdomaininfo){.domain = domid};
	memcpy(info->handle, domains[domid].uuid, 16);
}

long control_info(domid_t domid, struct xen_domctl_getdomaininfo *info)
{
	if (domid >= DOMAINS || !domains[domid].exists)
		return -XEN_ESRCH;
	describe(domid, info);
	return 0;
}

long control_list(domid_t first, struct xen_domctl_getdomaininfo *info, unsigned int n)
{
	unsigned int count = 0;

	for (domid_t i = first; i < DOMAINS && count < n; i++)
		if (domains[i].exists)
			describe(i, &info[count++]);
	return count;
}

/* The store: paths and values; a transaction that is given up leaves the tree as it was. */

#define ENTRIES 256

static struct entry {
	char path[128], value[4096];
	unsigned int permissions;
} entries[ENTRIES], before[ENTRIES];
static bool in_transaction;
static int introduced; /* domid, or 0 */

static struct entry *lookup(const char *path, bool make)
{
	struct entry *empty = NULL;

	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (!strcmp(entries[i].path, path))
			return &entries[i];
		if (!empty && !entries[i].path[0])
			empty = &entries[i];
	}
	if (!make)
		return NULL;
	assert_non_null(empty);
	snprintf(empty->path, sizeof(empty->path), "%s", path);
	return empty;
}

long xs_transaction_start(struct xs *xs, xs_transaction *t)
{
	if (fails())
		return -XEN_EIO;
	memcpy(before, entries, sizeof(entries));
	in_transaction = true;
	*t = 1;
	return 0;
}

long xs_transaction_end(struct xs *xs, xs_transaction t, bool commit)
{
	bool failed = commit && fails();

	assert_true(in_transaction);
	in_transaction = false;
	if (!commit || failed)
		memcpy(entries, before, sizeof(entries));
	return failed ? -XEN_EAGAIN : 0;
}

long xs_write(struct xs *xs, xs_transaction t, const char *path, const void *value, size_t length)
{
	struct entry *entry;

	assert_int_equal(t, in_transaction);
	assert_true(length < 4096 - 128);
	if (fails())
		return -XEN_ENOSPC;
	entry = lookup(path, true);
	memcpy(entry->value, value, length);
	entry->value[length] = 0;
	return 0;
}

long xs_vprintf(struct xs *xs, xs_transaction t, const char *path, const char *format,
		va_list arguments)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, arguments);
	return xs_write(xs, t, path, text, strlen(text));
}

long xs_set_permissions(struct xs *xs, xs_transaction t, const char *path,
			const struct xs_permission *permissions, unsigned int count)
{
	struct entry *entry = lookup(path, true); /* it may be there by what is below it */

	assert_int_equal(t, in_transaction);
	/* The owner, and whether the domain may read. */
	entry->permissions =
	    permissions[0].domain << 1 | (count > 1 && permissions[1].access == 'r');
	return fails() ? -XEN_EACCES : 0;
}

long xs_read(struct xs *xs, xs_transaction t, const char *path, char *value, size_t size)
{
	struct entry *entry = lookup(path, false);

	if (!entry)
		return -XEN_ENOENT;
	snprintf(value, size, "%s", entry->value);
	return (long)strlen(entry->value);
}

long xs_read_number(struct xs *xs, xs_transaction t, const char *path, uint64_t *number)
{
	char text[32];
	long length = xs_read(xs, t, path, text, sizeof(text));

	if (length < 0)
		return length;
	*number = strtoull(text, NULL, 10);
	return 0;
}

/* Names of what is right below a path, each once. */
long xs_directory(struct xs *xs, xs_transaction t, const char *path, char *names, size_t size)
{
	size_t length = strlen(path), used = 0;

	for (unsigned int i = 0; i < ENTRIES; i++) {
		const char *name = entries[i].path + length + 1, *known;
		size_t end;

		if (strncmp(entries[i].path, path, length) != 0 || entries[i].path[length] != '/')
			continue;
		end = strcspn(name, "/");
		for (known = names; known < names + used; known += strlen(known) + 1)
			if (!strncmp(known, name, end) && !known[end])
				break;
		if (known < names + used)
			continue;
		memcpy(names + used, name, end);
		names[used + end] = 0;
		used += end + 1;
	}
	return used ? (long)used : -XEN_ENOENT;
}

const char *xs_next_name(const char *names, long bytes, const char *name)
{
	name = name ? name + strlen(name) + 1 : names;
	return name < names + bytes ? name : NULL;
}

long xs_remove(struct xs *xs, xs_transaction t, const char *path)
{
	size_t length = strlen(path);

	for (unsigned int i = 0; i < ENTRIES; i++)
		if (!strncmp(entries[i].path, path, length) &&
		    (!entries[i].path[length] || entries[i].path[length] == '/'))
			entries[i] = (struct entry){0};
	return 0;
}

long xs_introduce(struct xs *xs, domid_t domain, unsigned long mfn, uint32_t port)
{
	if (fails())
		return -XEN_EINVAL;
	assert_int_equal(mfn, 77);
	assert_int_equal(port, 1);
	introduced = domain;
	return 0;
}

long xs_release(struct xs *xs, domid_t domain)
{
	if (introduced == domain)
		introduced = 0;
	return 0;
}

/*
 * Back halves, which do what they are to do when someone waits for them; front halves answer when they are asked to
 * close, unless they are stubborn.
 */

static enum { READY, SILENT, REFUSES } backs;
static bool stubborn;
static unsigned int waits;

static void set_entry(const char *top, const char *node, const char *value)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", top, node);
	snprintf(lookup(path, true)->value, 4096, "%s", value);
}

long xenbus_open(struct xenbus_device *device, struct xs *xs, const char *own,
		 enum xenbus_half half)
{
	char path[160], value[80];

	assert_int_equal(half, XENBUS_FRONT);
	snprintf(path, sizeof(path), "%s/backend", own);
	if (fails() || xs_read(xs, 0, path, value, sizeof(value)) < 0)
		return -XEN_ENOENT;
	snprintf(device->other, sizeof(device->other), "%s", value);
	snprintf(path, sizeof(path), "%s/frontend", own);
	xs_read(xs, 0, path, device->own, sizeof(device->own));
	return 0;
}

void xenbus_close(struct xenbus_device *device)
{
}

static bool unlocked; /* toolstack_lock, which is held otherwise */
static unsigned int unlocked_waits;

void mutex_lock(struct mutex *mutex)
{
	assert_ptr_equal(mutex, &toolstack_lock);
	assert_true(unlocked);
	unlocked = false;
}

void mutex_unlock(struct mutex *mutex)
{
	assert_ptr_equal(mutex, &toolstack_lock);
	assert_false(unlocked);
	unlocked = true;
}

long xenbus_wait(struct xenbus_device *device, unsigned int states, uint64_t deadline)
{
	char path[160], state[8];

	waits++;
	unlocked_waits += unlocked;
	assert_true(deadline == 10 * NSEC_PER_SEC || deadline == 5 * NSEC_PER_SEC);
	assert_true(states & 1u << XenbusStateClosed && states & 1u << XenbusStateUnknown);
	snprintf(path, sizeof(path), "%s/state", device->other);
	assert_true(xs_read(NULL, 0, path, state, sizeof(state)) > 0);
	if (backs == SILENT)
		return -XEN_ETIMEDOUT;
	if (state[0] == '1' && backs == REFUSES) {
		set_entry("/local/domain/0/error", strstr(device->other, "backend"), "");
		snprintf(path, sizeof(path), "/local/domain/0/error/%.90s",
			 strstr(device->other, "backend"));
		set_entry(path, "error", "-2 there is no such image");
		set_entry(device->other, "state", "6");
		return XenbusStateClosed;
	}
	if (state[0] == '1') {
		assert_true(states & 1u << XenbusStateInitWait);
		set_entry(device->other, "state", "2");
		return XenbusStateInitWait;
	}
	assert_true(state[0] == '5' || state[0] == '6');
	snprintf(path, sizeof(path), "%s/state", device->own);
	if (stubborn && lookup(path, false))
		return -XEN_ETIMEDOUT;
	set_entry(device->other, "state", "6");
	return XenbusStateClosed;
}

/* The builder, and chance. */

bool build_domain(const struct domain_config *config, domid_t domid, bool progress,
		  struct domain_channels *channels, struct report *report)
{
	if (fails()) {
		report_error(report, NULL, 0, "cannot build");
		return false;
	}
	channels->store_mfn = 77;
	channels->console_mfn = 78;
	return true;
}

uint64_t clock_now(void)
{
	return 0;
}

void uuid_make(uint8_t uuid[16])
{
	static uint8_t last;

	memset(uuid, ++last, 16);
}

static uint64_t chance; /* the numbers that random_number() gives */

uint64_t random_number(void)
{
	return chance++;
}

/* What is left. */

static unsigned int entries_used(void)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < ENTRIES; i++)
		used += entries[i].path[0] != 0;
	return used;
}

static unsigned int domains_used(void)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < DOMAINS; i++)
		used += domains[i].exists;
	return used;
}

static char said[1024];

static void say(struct report *report, const char *message)
{
	snprintf(said, sizeof(said), "%s", message);
}

static bool create(const char *text, domid_t *domid, unsigned int fail_at)
{
	struct report report = {.say = say};
	struct domain_config domain;
	struct creation creation = {0};
	struct config config = {0};
	bool right;

	said[0] = 0;
	assert_true(config_parse(&config, "f", text, strlen(text), &report));
	assert_true(domain_config_read(&domain, &config, &report));
	assert_true(creation_prepare(&creation, &domain, &config));
	step = 0;
	failing = fail_at;
	right = domain_create(&creation, domid, &report);
	failing = 0;
	assert_int_equal(right, report.errors == 0);
	assert_int_equal(right, said[0] == 0);
	domain_config_free(&domain);
	config_free(&config);
	return right;
}

static const char web[] =
    "name='web';kernel='/k';memory=64;vcpus=2;cpus='1-2,9';cpu_weight=512;extra='a b'";

static int reset(void **state)
{
	memset(domains, 0, sizeof(domains));
	memset(entries, 0, sizeof(entries));
	introduced = 0;
	in_transaction = false;
	free_pages = 64 << 8;
	backs = READY;
	stubborn = false;
	waits = unlocked_waits = 0;
	return 0;
}

static void assert_entry(const char *path, const char *value)
{
	struct entry *entry = lookup(path, false);

	if (!entry)
		fail_msg("%s is missing", path);
	assert_string_equal(entry->value, value);
}

static void assert_rights(const char *path, unsigned int owner, bool readable)
{
	assert_int_equal(lookup(path, false)->permissions, owner << 1 | readable);
}

/* xenstore-paths(7) */
static void test_layout(void **state)
{
	char path[128];
	domid_t domid;

	assert_true(create(web, &domid, 0));
	assert_int_equal(domid, 1);
	assert_int_equal(introduced, 1);
	assert_int_equal(domains[1].max_kib, (64 << 10) + 1024);
	assert_int_equal(domains[1].weight, 512);
	assert_int_equal(domains[1].hard.bits[0], 6);
	assert_int_equal(domains[1].hard.bits[1], 0);
	assert_entry("/local/domain/1/name", "web");
	assert_entry("/local/domain/1/domid", "1");
	assert_entry("/local/domain/1/memory/target", "65536");
	assert_entry("/local/domain/1/memory/static-max", "65536");
	assert_entry("/local/domain/1/cpu/0/availability", "online");
	assert_entry("/local/domain/1/cpu/1/availability", "online");
	assert_entry("/local/domain/1/control/shutdown", "");
	assert_entry("/local/domain/1/store/port", "1");
	assert_entry("/local/domain/1/store/ring-ref", "77");
	assert_entry("/local/domain/1/console/port", "2");
	assert_entry("/local/domain/1/console/ring-ref", "78");
	assert_entry("/local/domain/1/console/type", "xenconsoled");
	assert_entry("/local/domain/0/backend/console/1/0/frontend", "/local/domain/1/console");
	assert_entry("/libxl/1/watched", "1");
	snprintf(path, sizeof(path), "%.64s/name", lookup("/local/domain/1/vm", false)->value);
	assert_entry(path, "web");
	assert_rights("/local/domain/1", 0, true);
	assert_rights("/local/domain/1/control/shutdown", 1, false);
	assert_rights("/local/domain/1/data", 1, false);
}

/* What the host's configuration says. */
static void test_host(void **state)
{
	const struct domain_defaults usual = domain_defaults;
	domid_t domid;

	assert_true(create(web, &domid, 0));
	assert_int_equal(claimed, 64 << 8);
	domain_end(domid);
	domain_defaults.has_cpus = true;
	domain_defaults.cpus = (struct cpu_set){{0x0c}};
	domain_defaults.claim = false;
	claimed = 0;
	assert_true(create("name='web2';kernel='/k';memory=8;cpus='1-2'", &domid, 0));
	assert_int_equal(domains[domid].hard.bits[0], 4);
	assert_int_equal(claimed, 0);
	domain_end(domid);
	/* Also where nothing was said. */
	assert_true(create("name='web3';kernel='/k';memory=8", &domid, 0));
	assert_int_equal(domains[domid].hard.bits[0], 0x0c);
	domain_defaults.random_domid = true;
	/* Not one that is taken. */
	chance = domid - 1;
	assert_true(create("name='web4';kernel='/k';memory=8", &domid, 0));
	assert_int_equal(domid, chance);
	domain_defaults = usual;
}

static const char hardware[] =
    "name='h';kernel='/k';memory=8;irqs=[8];ioports=['70-71','3f8'];iomem=['a0,20']";

static void test_hardware(void **state)
{
	domid_t domid;

	given[0] = 0;
	assert_true(create(hardware, &domid, 0));
	assert_string_equal(
	    given, "1: ports 70+2\n1: ports 3f8+1\n1: frames a0+20\n1: line 8+1\n1: irq 8+1\n");
	/* Whichever cannot be given, there is no domain. */
	for (unsigned int n = 1, refused = 0; refused < 5; n++) {
		domain_end(domid);
		given[0] = 0;
		if (!create(hardware, &domid, n) && strstr(said, "given")) {
			refused++;
			assert_int_equal(domains_used(), 0);
			assert_int_equal(entries_used(), 0);
		}
		assert_true(n < 100);
	}
}

static void test_end(void **state)
{
	domid_t domid;

	assert_true(create(web, &domid, 0));
	assert_int_equal(domain_end(domid), 0);
	assert_int_equal(domains_used(), 0);
	assert_int_equal(entries_used(), 0);
	assert_int_equal(introduced, 0);
	assert_int_equal(domain_end(domid), -XEN_ESRCH);
}

/* Fail at each step in turn, until one creation has fewer steps than that. */
static void every_failure(const char *text)
{
	unsigned int failures = 0, n;
	domid_t domid;

	for (n = 1;; n++) {
		if (create(text, &domid, n)) {
			domain_end(domid);
			if (step < n)
				break;
			continue; /* an end of a transaction that had to be done again */
		}
		failures++;
		assert_int_equal(domains_used(), 0);
		assert_int_equal(entries_used(), 0);
		assert_int_equal(introduced, 0);
	}
	assert_true(n > 50);
	assert_true(failures > 50);
}

static void test_every_failure(void **state)
{
	every_failure(web);
}

/* Devices */

static const char devices[] =
    "name='web';kernel='/k';memory=16;uuid='00000000-0000-0000-0000-000000000001'\n"
    "disk=['/images/web.img,,xvda,w!,limit-rate=1MB/s,limit-requests=9','format=raw,vdev=xvdb,access=ro,devtype=cdrom,target=disk0p2']\n"
    "vif=['','mac=00:16:3e:01:02:03,bridge=lan,rate=1MB/s@20ms,mtu=9000,ip=10.0.0.2,devid=7']";

static void test_disk_layout(void **state)
{
	domid_t domid;

	assert_true(create(devices, &domid, 0));
	assert_entry("/local/domain/1/device/vbd/51712/backend",
		     "/local/domain/0/backend/vbd/1/51712");
	assert_entry("/local/domain/1/device/vbd/51712/backend-id", "0");
	assert_entry("/local/domain/1/device/vbd/51712/state", "1");
	assert_entry("/local/domain/1/device/vbd/51712/virtual-device", "51712");
	assert_entry("/local/domain/1/device/vbd/51712/device-type", "disk");
	assert_entry("/local/domain/1/device/vbd/51712/trusted", "1");
	assert_entry("/local/domain/0/backend/vbd/1/51712/frontend",
		     "/local/domain/1/device/vbd/51712");
	assert_entry("/local/domain/0/backend/vbd/1/51712/frontend-id", "1");
	assert_entry("/local/domain/0/backend/vbd/1/51712/params", "/images/web.img");
	assert_entry("/local/domain/0/backend/vbd/1/51712/dev", "xvda");
	assert_entry("/local/domain/0/backend/vbd/1/51712/mode", "w!");
	assert_entry("/local/domain/0/backend/vbd/1/51712/limit-bytes", "1000000");
	assert_entry("/local/domain/0/backend/vbd/1/51712/limit-requests", "9");
	assert_entry("/local/domain/0/backend/vbd/1/51712/online", "1");
	assert_entry("/local/domain/0/backend/vbd/1/51712/discard-enable", "1");
	assert_entry("/local/domain/0/backend/vbd/1/51728/params", "disk0p2");
	assert_entry("/local/domain/0/backend/vbd/1/51728/mode", "r");
	assert_entry("/local/domain/0/backend/vbd/1/51728/device-type", "cdrom");
	assert_entry("/local/domain/0/backend/vbd/1/51728/discard-enable", "0");
	assert_entry("/libxl/1/device/vbd/51712/backend", "/local/domain/0/backend/vbd/1/51712");
	assert_entry("/libxl/1/device/vbd/51712/frontend", "/local/domain/1/device/vbd/51712");
	assert_entry("/libxl/1/device/vbd/51712/params", "/images/web.img");
	/* The guest owns its half alone. */
	assert_rights("/local/domain/1/device/vbd/51712", 1, true);
	assert_rights("/local/domain/0/backend/vbd/1/51712", 0, true);
	assert_rights("/libxl/1/device/vbd/51712/params", 0, false);
}

static void test_vif_layout(void **state)
{
	const struct domain_defaults usual = domain_defaults;
	char mac[4096];
	domid_t domid;

	snprintf(domain_defaults.bridge, sizeof(domain_defaults.bridge), "guests");
	assert_true(create(devices, &domid, 0));
	assert_entry("/local/domain/0/backend/vif/1/0/bridge", "guests");
	assert_entry("/local/domain/0/backend/vif/1/7/bridge", "lan");
	domain_end(domid);
	domain_defaults = usual;
	reset(NULL);
	assert_true(create(devices, &domid, 0));
	assert_entry("/local/domain/1/device/vif/0/handle", "0");
	assert_entry("/local/domain/1/device/vif/7/handle", "7");
	assert_entry("/local/domain/1/device/vif/7/mac", "00:16:3e:01:02:03");
	assert_entry("/local/domain/1/device/vif/7/mtu", "9000");
	assert_entry("/local/domain/0/backend/vif/1/0/bridge", "xenbr0");
	assert_entry("/local/domain/0/backend/vif/1/7/bridge", "lan");
	assert_entry("/local/domain/0/backend/vif/1/7/mac", "00:16:3e:01:02:03");
	assert_entry("/local/domain/0/backend/vif/1/7/rate", "20000,20000");
	assert_entry("/local/domain/0/backend/vif/1/7/mtu", "9000");
	assert_entry("/local/domain/0/backend/vif/1/7/ip", "10.0.0.2");
	assert_entry("/libxl/1/device/vif/7/mac", "00:16:3e:01:02:03");
	assert_null(lookup("/local/domain/0/backend/vif/1/0/rate", false));
	/* The MAC that was made is kept, is the same when the domain is made anew, and is another one beside it. */
	snprintf(mac, sizeof(mac), "%s", lookup("/local/domain/1/device/vif/0/mac", false)->value);
	assert_int_equal(strncmp(mac, "00:16:3e:", 9), 0);
	assert_non_null(strstr(lookup("/libxl/1/config/0", false)->value, mac));
	assert_int_equal(domain_end(1), 0);
	assert_int_equal(entries_used(), 0);
	assert_true(create(devices, &domid, 0));
	assert_entry("/local/domain/1/device/vif/0/mac", mac);
	assert_true(create("name='other';kernel='/k';memory=16;vif=['']\n"
			   "uuid='00000000-0000-0000-0000-000000000001'",
			   &domid, 0));
	assert_string_not_equal(lookup("/local/domain/2/device/vif/0/mac", false)->value, mac);
}

static void test_devices_end(void **state)
{
	domid_t domid;

	assert_true(create(devices, &domid, 0));
	assert_int_equal(domain_end(domid), 0);
	assert_int_equal(entries_used(), 0);
	assert_int_equal(waits, 8);
	/* A guest that never lets go does not count when it is gone. */
	assert_true(create(devices, &domid, 0));
	stubborn = true;
	set_entry("/local/domain/1/device/vbd/51712", "state", "4");
	assert_int_equal(domain_end(domid), 0);
	assert_int_equal(entries_used(), 0);
}

static void test_devices_every_failure(void **state)
{
	every_failure(devices);
}

static void test_no_back_half(void **state)
{
	domid_t domid;

	backs = SILENT;
	assert_false(create(devices, &domid, 0));
	assert_string_equal(said, "disk xvda of domain 1: no back half has answered within 10 s; "
				  "are there disks in this dom0?");
	assert_int_equal(entries_used(), 0);
	assert_int_equal(waits, 1);
	backs = REFUSES;
	assert_false(create(devices, &domid, 0));
	assert_string_equal(said, "disk xvda of domain 1: there is no such image");
	assert_int_equal(entries_used(), 0);
	assert_int_equal(domains_used(), 0);
}

static bool detach(unsigned int number, bool force)
{
	const struct device_id id = {.domid = 1, .kind = DEVICE_DISK, .number = number};
	struct report report = {.say = say};

	said[0] = 0;
	return device_detach(&id, force, &report);
}

static void test_detach(void **state)
{
	struct device_list list;
	domid_t domid;

	assert_true(create(devices, &domid, 0));
	set_entry("/local/domain/1/device/vbd/51712", "state", "4");
	stubborn = true;
	assert_false(detach(51712, false));
	assert_string_equal(said, "disk xvda of domain 1: the guest still uses it; it has been "
				  "asked to let go, and --force takes it away at once");
	assert_entry("/local/domain/0/backend/vbd/1/51712/online", "0");
	assert_entry("/local/domain/0/backend/vbd/1/51712/state", "5");
	stubborn = false;
	assert_true(detach(51712, false));
	assert_null(lookup("/libxl/1/device/vbd/51712/params", false));
	assert_null(lookup("/local/domain/1/device/vbd/51712/state", false));
	assert_null(lookup("/local/domain/0/backend/vbd/1/51712/state", false));
	assert_false(detach(51712, false));
	assert_string_equal(said, "disk 51712 of domain 1: no such file or entry");
	/* By force, whatever the guest does. */
	set_entry("/local/domain/1/device/vbd/51728", "state", "4");
	stubborn = true;
	waits = 0;
	assert_true(detach(51728, true));
	assert_int_equal(waits, 2);
	assert_int_equal(device_list(1, DEVICE_DISK, &list), 0);
	assert_int_equal(list.count, 0);
	device_list_free(&list);
	/* What the guest writes about it decides nothing. */
	assert_int_equal(device_list(1, DEVICE_NETWORK, &list), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.views[1].number, 7);
	assert_int_equal(list.views[1].state, 2);
	assert_int_equal(list.views[1].port, -1);
	assert_string_equal(list.views[1].target, "lan");
	device_list_free(&list);
}

static void test_attach_twice(void **state)
{
	struct report report = {.say = say};
	struct device_error error;
	struct disk_config disk;
	struct pool pool = {0};
	domid_t domid;

	assert_true(create(devices, &domid, 0));
	assert_true(disk_config_parse(&disk, "/other,,xvda", &pool, &error));
	assert_false(device_attach_disk(domid, &disk, false, &report));
	assert_string_equal(said, "disk xvda of domain 1: exists already");
	assert_entry("/local/domain/0/backend/vbd/1/51712/params", "/images/web.img");
	pool_free(&pool);
}

/* While one is waited for others go on. */
static void test_attach_lets_go(void **state)
{
	struct report report = {.say = say};
	struct device_error error;
	struct disk_config disk;
	struct pool pool = {0};
	domid_t domid;

	assert_true(create(devices, &domid, 0));
	assert_int_equal(unlocked_waits, 0);
	assert_true(disk_config_parse(&disk, "/other,,xvdq", &pool, &error));
	assert_true(device_attach_disk(domid, &disk, true, &report));
	assert_int_equal(unlocked_waits, 1);
	assert_false(unlocked);
	pool_free(&pool);
}

static void test_memory(void **state)
{
	domid_t domid;

	free_pages = 40 << 8;
	assert_false(create(web, &domid, 0));
	assert_string_equal(
	    said,
	    "not enough memory for web: it needs 64 MiB, 40 MiB are free, 24 MiB are missing");
	assert_int_equal(domains_used(), 0);
}

static void test_names(void **state)
{
	struct domain_view view;
	domid_t domid;

	assert_true(create(web, &domid, 0));
	assert_false(create(web, &domid, 0));
	assert_string_equal(said, "Domain with name \"web\" already exists.");
	assert_int_equal(domain_find("web", &view), 0);
	assert_int_equal(view.domid, 1);
	assert_int_equal(domain_find("1", &view), 0);
	assert_int_equal(domain_find("2", &view), -XEN_ESRCH);
	assert_int_equal(domain_find("99999999999999999999", &view), -XEN_ESRCH);
	assert_int_equal(domain_find("other", &view), -XEN_ESRCH);
	assert_int_equal(domain_find("", &view), -XEN_ESRCH);
	assert_true(create("name='other';kernel='/k';memory=8", &domid, 0));
	assert_int_equal(domain_find("other", &view), 0);
	assert_int_equal(domain_rename(&view, "web"), -XEN_EEXIST);
	assert_int_equal(domain_rename(&view, "third"), 0);
	assert_int_equal(domain_find("other", &view), -XEN_ESRCH);
	assert_int_equal(domain_find("third", &view), 0);
}

/* The kept configuration says what is needed to start the domain again: with its UUID, and under its new name. */
static void test_saved(void **state)
{
	struct domain_view view;
	struct config config;
	domid_t domid;
	char uuid[UUID_TEXT];

	assert_true(create(web, &domid, 0));
	assert_int_equal(domain_find("web", &view), 0);
	domain_rename(&view, "www");
	assert_true(saved_config_load(domid, &config));
	assert_string_equal(config_find(&config, "name")->value.text, "www");
	assert_string_equal(config_find(&config, "extra")->value.text, "a b");
	uuid_print(domains[domid].uuid, uuid);
	assert_string_equal(config_find(&config, "uuid")->value.text, uuid);
	config_free(&config);
	assert_false(saved_config_load(7, &config));
}

/* More than a value of the store can hold. */
static void test_long_config(void **state)
{
	static char text[12000], *read;

	for (size_t size = 3071; size < 9300;
	     size += size < 3074 || (size > 6142 && size < 6147) ? 1 : 3070) {
		memset(text, 'x', size);
		text[size] = 0;
		assert_int_equal(saved_config_write(3, text), 0);
		read = saved_config_read(3);
		assert_non_null(read);
		assert_string_equal(read, text);
		free(read);
	}
	saved_config_write(3, "short");
	read = saved_config_read(3);
	assert_string_equal(read, "short");
	free(read);
}

static void test_preserve(void **state)
{
	struct domain_view view;
	uint8_t uuid[16];
	domid_t domid;

	assert_true(create(web, &domid, 0));
	assert_int_equal(domain_find("web", &view), 0);
	memcpy(uuid, view.uuid, 16);
	assert_int_equal(domain_preserve(&view), 0);
	assert_int_equal(domain_find("web", &view), -XEN_ESRCH);
	assert_int_equal(domain_read(domid, &view), 0);
	assert_int_equal(strncmp(view.name, "web-2", 5), 0);
	assert_memory_not_equal(view.uuid, uuid, 16);
	assert_entry("/libxl/1/watched", "0");
	assert_true(create(web, &domid, 0));
	assert_int_equal(domid, 2);
	assert_int_equal(domain_end(1), 0);
	assert_int_equal(domain_end(2), 0);
	assert_int_equal(entries_used(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_layout, reset),
	    cmocka_unit_test_setup(test_host, reset),
	    cmocka_unit_test_setup(test_hardware, reset),
	    cmocka_unit_test_setup(test_end, reset),
	    cmocka_unit_test_setup(test_every_failure, reset),
	    cmocka_unit_test_setup(test_disk_layout, reset),
	    cmocka_unit_test_setup(test_vif_layout, reset),
	    cmocka_unit_test_setup(test_devices_end, reset),
	    cmocka_unit_test_setup(test_devices_every_failure, reset),
	    cmocka_unit_test_setup(test_no_back_half, reset),
	    cmocka_unit_test_setup(test_detach, reset),
	    cmocka_unit_test_setup(test_attach_twice, reset),
	    cmocka_unit_test_setup(test_attach_lets_go, reset),
	    cmocka_unit_test_setup(test_memory, reset),
	    cmocka_unit_test_setup(test_names, reset),
	    cmocka_unit_test_setup(test_saved, reset),
	    cmocka_unit_test_setup(test_long_config, reset),
	    cmocka_unit_test_setup(test_preserve, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
