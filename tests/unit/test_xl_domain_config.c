/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/config.c dom0-tools/xl/pool.c dom0-tools/xl/domain_config.c dom0-tools/xl/keys.c dom0-tools/xl/cpu_set.c dom0-tools/xl/device_config.c
/* What xl.cfg(5)'s keys mean: defaults, ranges, and what is said about the rest. */
#include "unit.h"
#include "xl/domain_config.h"

#define LEAST "name='x'\nkernel='/k'\n"

static char said[4096];
static struct domain_config domain;

static void say(struct report *report, const char *message)
{
	strncat(said, message, sizeof(said) - strlen(said) - 2);
	strcat(said, "\n");
}

static bool take(const char *text)
{
	struct report report = {.say = say};
	struct config config = {0};
	bool right;

	domain_config_free(&domain);
	said[0] = 0;
	assert_true(config_parse(&config, "a.cfg", text, strlen(text), &report));
	right = domain_config_read(&domain, &config, &report);
	assert_int_equal(right, report.errors == 0);
	config_free(&config);
	return right;
}

static void right(const char *text)
{
	if (!take(text))
		fail_msg("%s: %s", text, said);
}

static void wrong(const char *text, const char *message)
{
	assert_false(take(text));
	assert_string_equal(said, message);
}

static void test_defaults(void **state)
{
	right(LEAST);
	assert_string_equal(said, "");
	assert_string_equal(domain.name, "x");
	assert_string_equal(domain.kernel, "/k");
	assert_null(domain.ramdisk);
	assert_string_equal(domain.cmdline, "");
	assert_false(domain.has_uuid);
	assert_int_equal(domain.memory_kib, 128 << 10);
	assert_int_equal(domain.max_memory_kib, 128 << 10);
	assert_int_equal(domain.vcpus, 1);
	assert_int_equal(domain.max_vcpus, 1);
	assert_int_equal(domain.weight, 256);
	assert_int_equal(domain.cap, 0);
	assert_int_equal(domain.on[END_POWEROFF], ACTION_DESTROY);
	assert_int_equal(domain.on[END_REBOOT], ACTION_RESTART);
	assert_int_equal(domain.on[END_WATCHDOG], ACTION_DESTROY);
	assert_int_equal(domain.on[END_CRASH], ACTION_DESTROY);
	assert_int_equal(domain.on[END_SOFT_RESET], ACTION_SOFT_RESET);
	assert_int_equal(domain.max_grant_frames, -1);
	assert_int_equal(domain.max_maptrack_frames, -1);
	assert_int_equal(domain.max_event_channels, 1023);
}

static void test_missing(void **state)
{
	wrong("", "the configuration has no name: expected name=\"NAME\"\n"
		  "the configuration has no kernel: expected kernel=\"PATH\"\n");
}

static void test_name(void **state)
{
	right("kernel='/k';name='web-1.a_b'");
	wrong("kernel='/k'\nname='1'", "a.cfg:2: name: `1' is a number\n");
	wrong("kernel='/k';name='a b'",
	      "a.cfg:1: name: `a b' holds a blank, a control character or a `/'\n");
	wrong("kernel='/k';name='../a'",
	      "a.cfg:1: name: `../a' holds a blank, a control character or a `/'\n");
	wrong("kernel='/k';name=''", "a.cfg:1: name: `' is empty\n");
	wrong("kernel='/k';name=['x']", "a.cfg:1: name: expected a string, found a list\n");
}

static void test_uuid(void **state)
{
	char text[UUID_TEXT];

	right(LEAST "uuid='b9deb4f0-64B1-4a16-b1f4-2b1d3a70ba2e'");
	assert_true(domain.has_uuid);
	uuid_print(domain.uuid, text);
	assert_string_equal(text, "b9deb4f0-64b1-4a16-b1f4-2b1d3a70ba2e");
	right(LEAST "uuid='b9deb4f064b14a16b1f42b1d3a70ba2e'");
	wrong(LEAST "uuid='b9deb4f0'", "a.cfg:3: uuid: expected 32 hexadecimal digits, as in "
				       "b9deb4f0-64b1-4a16-b1f4-2b1d3a70ba2e, found `b9deb4f0'\n");
	assert_false(take(LEAST "uuid='b9de-b4f064b14a16b1f42b1d3a70ba2e'"));
	assert_false(take(LEAST "uuid='b9deb4f064b14a16b1f42b1d3a70ba2e0'"));
}

static void test_memory(void **state)
{
	right(LEAST "memory=64");
	assert_int_equal(domain.max_memory_kib, 64 << 10);
	right(LEAST "memory='0x40'\nmaxmem=128");
	assert_int_equal(domain.memory_kib, 64 << 10);
	assert_int_equal(domain.max_memory_kib, 128 << 10);
	wrong(LEAST "memory=64\nmaxmem=32",
	      "a.cfg:4: maxmem: expected at least memory, which is 64 MiB, found 32\n");
	wrong(LEAST "memory='lots'", "a.cfg:3: memory: expected a number, found `lots'\n");
	wrong(LEAST "memory=0",
	      "a.cfg:3: memory: expected a number from 1 to 16777216, found `0'\n");
	wrong(LEAST "memory='-1'",
	      "a.cfg:3: memory: expected a number from 1 to 16777216, found `-1'\n");
	wrong(LEAST "memory=99999999999999999999",
	      "a.cfg:3: memory: expected a number, found `99999999999999999999'\n");
}

static void test_vcpus(void **state)
{
	right(LEAST "vcpus=2\nmaxvcpus=4");
	assert_int_equal(domain.vcpus, 2);
	assert_int_equal(domain.max_vcpus, 4);
	right(LEAST "vcpus=3");
	assert_int_equal(domain.max_vcpus, 3);
	right(LEAST "maxvcpus=3");
	assert_int_equal(domain.vcpus, 1);
	wrong(LEAST "vcpus=3\nmaxvcpus=2",
	      "a.cfg:4: maxvcpus: expected at least vcpus, which is 3, found 2\n");
	assert_false(take(LEAST "vcpus=0"));
	assert_false(take(LEAST "vcpus=129"));
}

static void assert_cpus(const char *text, const char *expected)
{
	struct cpu_set set, online;
	const char *where;
	char shown[64];

	assert_null(cpu_set_parse(&set, text, &where));
	cpu_set_first(&online, CPU_SET_SIZE);
	cpu_set_print(&set, &online, shown, sizeof(shown));
	assert_string_equal(shown, expected);
}

static void test_cpu_sets(void **state)
{
	struct cpu_set set;
	const char *where;

	assert_cpus("0-3,5,^1", "0,2-3,5");
	assert_cpus("all", "all");
	assert_cpus("all,^7", "0-6,8-255");
	assert_cpus(" 2 , 4 ", "2,4");
	assert_cpus("nodes:0", "all");
	assert_cpus("node:0,^1-255", "0");
	assert_cpus("1,node:0,^6", "0-5,7-255");
	assert_cpus("all,^node:0,3", "3");
	assert_cpus("nodes:all", "all");
	assert_string_equal(cpu_set_parse(&set, "x", &where),
			    "a CPU's number, a range, `all' or `node:'");
	assert_string_equal(cpu_set_parse(&set, "1-", &where), "a number after `-'");
	assert_string_equal(cpu_set_parse(&set, "1,256", &where), "numbers below 256");
	assert_string_equal(cpu_set_parse(&set, "3-1", &where), "the smaller number first");
	assert_string_equal(cpu_set_parse(&set, "1;2", &where), "`,' or the end");
	assert_string_equal(where, ";2");
	assert_string_equal(cpu_set_parse(&set, "node:1", &where),
			    "node 0: this machine has no other");
	assert_string_equal(cpu_set_parse(&set, "1,^1", &where), "at least one CPU");
	assert_non_null(cpu_set_parse(&set, "", &where));
	assert_non_null(cpu_set_parse(&set, "99999999999999999999", &where));
}

static bool runs_on(const struct cpu_set *sets, unsigned int count, unsigned int vcpu,
		    unsigned int cpu)
{
	struct cpu_set cpus;

	domain_vcpu_cpus(sets, count, vcpu, &cpus);
	return cpu_set_has(&cpus, cpu);
}

static void test_affinity(void **state)
{
	right(LEAST "vcpus=3\ncpus='1'");
	assert_true(runs_on(domain.hard, domain.hard_count, 2, 1));
	assert_false(runs_on(domain.hard, domain.hard_count, 2, 0));
	right(LEAST "vcpus=3\ncpus=['1',2]\ncpus_soft=['0']");
	assert_false(runs_on(domain.hard, domain.hard_count, 0, 0));
	assert_true(runs_on(domain.hard, domain.hard_count, 1, 2));
	assert_true(runs_on(domain.hard, domain.hard_count, 2, 9));
	assert_false(runs_on(domain.soft, domain.soft_count, 0, 1));
	assert_true(runs_on(domain.soft, domain.soft_count, 1, 1));
	right(LEAST "cpus=['1','2']");
	assert_string_equal(said,
			    "a.cfg:3: warning: cpus has 2 sets, but there are only 1 vCPUs\n");
	right(LEAST "cpus=3");
	assert_false(runs_on(domain.hard, domain.hard_count, 0, 0));
	wrong(LEAST "vcpus=2\ncpus=['1',\n'a']",
	      "a.cfg:5: cpus: expected a CPU's number, a range, `all' or `node:', found `a'\n");
	wrong(LEAST "cpus=[['1']]", "a.cfg:3: cpus: expected a string of CPUs, found `[...]'\n");
}

static void test_cmdline(void **state)
{
	right(LEAST "root='/dev/xvda1'");
	assert_string_equal(domain.cmdline, "root=/dev/xvda1");
	right(LEAST "root='/dev/xvda1';extra='ro quiet'");
	assert_string_equal(domain.cmdline, "root=/dev/xvda1 ro quiet");
	right(LEAST "extra='quiet'");
	assert_string_equal(domain.cmdline, "quiet");
	right(LEAST "cmdline='c';extra='quiet'");
	assert_string_equal(domain.cmdline, "c");
	assert_string_equal(said, "warning: root and extra are ignored, since cmdline is set\n");
}

static void test_hardware(void **state)
{
	right(LEAST);
	assert_int_equal(domain.irqs.count + domain.ioports.count + domain.iomem.count, 0);
	right(LEAST "irqs=[4, '8']\nioports=['2f8-2FF','0x70']\niomem=['a0,20','fed00,1@10']\n");
	assert_string_equal(said, "");
	assert_int_equal(domain.irqs.count, 2);
	assert_int_equal(domain.irqs.ranges[1].first, 8);
	assert_int_equal(domain.ioports.count, 2);
	assert_int_equal(domain.ioports.ranges[0].first, 0x2f8);
	assert_int_equal(domain.ioports.ranges[0].count, 8);
	assert_int_equal(domain.ioports.ranges[1].first, 0x70);
	assert_int_equal(domain.ioports.ranges[1].count, 1);
	assert_int_equal(domain.iomem.count, 2);
	assert_int_equal(domain.iomem.ranges[0].first, 0xa0);
	assert_int_equal(domain.iomem.ranges[0].count, 0x20);
	assert_int_equal(domain.iomem.ranges[1].first, 0xfed00);
}

static void test_bad_hardware(void **state)
{
	static const char *const ports[] = {"'2f8-'", "'2ff-2f8'", "'10000'", "'-1'",
					    "''",     "'2f8,8'",   "['2f8']", "'70 '"},
				 *const memory[] =
				     {"'a0'",		"'a0,0'",  "'a0,'",
				      "'a0,1@'",	"'a0,1 '", "'10000000000,1'",
				      "'ffffffffff,2'", "'-1,1'",  "'fffffffffffffffff,1'"},
				 *const lines[] = {"0", "4096", "'-1'", "'x'", "['1']"};
	char text[200];

	for (unsigned int i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		snprintf(text, sizeof(text), LEAST "ioports=[%s]", ports[i]);
		assert_false(take(text));
		assert_non_null(strstr(said, "a.cfg:3: ioports: expected ports in hexadecimal"));
	}
	for (unsigned int i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
		snprintf(text, sizeof(text), LEAST "iomem=[%s]", memory[i]);
		assert_false(take(text));
		assert_non_null(strstr(said, "a.cfg:3: iomem: expected the first page"));
	}
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), LEAST "irqs=[%s]", lines[i]);
		assert_false(take(text));
		assert_non_null(strstr(said, "a.cfg:3: irqs: expected the number of an interrupt"));
	}
	wrong(LEAST "ioports='70'", "a.cfg:3: ioports: expected a list, found `70'\n");
}

static void test_actions(void **state)
{
	right(LEAST
	      "on_poweroff='preserve';on_reboot='rename-restart';on_crash='coredump-restart'\n"
	      "on_watchdog='coredump-destroy';on_soft_reset='restart'");
	assert_int_equal(domain.on[END_POWEROFF], ACTION_PRESERVE);
	assert_int_equal(domain.on[END_REBOOT], ACTION_RENAME_RESTART);
	assert_int_equal(domain.on[END_CRASH], ACTION_COREDUMP_RESTART);
	assert_int_equal(domain.on[END_WATCHDOG], ACTION_COREDUMP_DESTROY);
	assert_int_equal(domain.on[END_SOFT_RESET], ACTION_RESTART);
	wrong(LEAST "on_crash='explode'",
	      "a.cfg:3: on_crash: expected destroy, restart, rename-restart, preserve, "
	      "coredump-destroy or coredump-restart, found `explode'\n");
	assert_false(take(LEAST "on_crash='soft-reset'"));
}

static void test_keys(void **state)
{
	right(LEAST "acpi=1\nfoo=['x']\nvfb=[]\ntype='pv'\nbuilder='generic'");
	assert_string_equal(said, "a.cfg:3: warning: acpi is not for PV guests, ignored\n"
				  "a.cfg:4: warning: unknown key `foo', ignored\n"
				  "a.cfg:5: warning: vfb is not supported here, ignored\n");
	wrong(LEAST "acpi='yes'",
	      "a.cfg:3: acpi: expected a number, 0 for false, any other for true, found `yes'\n");
	wrong(LEAST "vif='x'\nkernel=1\nviridian='x'\ngfx_passthru=[]",
	      "a.cfg:3: vif: expected a list, found `x'\n"
	      "a.cfg:5: viridian: expected a number or a list, found `x'\n"
	      "a.cfg:6: gfx_passthru: expected a number or a string, found a list\n");
	wrong(
	    LEAST "type='hvm'",
	    "a.cfg:3: type: expected \"pv\", the one kind of guest that there is here, found `hvm'\n");
	wrong(LEAST "max_event_channels=0\nmax_grant_version=3\ncpu_weight=0",
	      "a.cfg:5: cpu_weight: expected a number from 1 to 65535, found `0'\n"
	      "a.cfg:4: max_grant_version: expected a number from 1 to 2, found `3'\n"
	      "a.cfg:3: max_event_channels: expected a number from 1 to 131071, found `0'\n");
}

/* What a message quotes cannot drive the terminal. */
static void test_control_characters(void **state)
{
	wrong(LEAST "memory='\\x1b[2J\\n\\x9b'",
	      "a.cfg:3: memory: expected a number, found `?[2J?\?'\n");
}

static void test_vifs(void **state)
{
	right(LEAST "vif=['mac=00:16:3E:74:3d:76,model=rtl8139,bridge=xenbr0', '', "
		    "' rate=1MB/s@20ms , untrusted,devid=7,mtu=9000']");
	assert_string_equal(said, "");
	assert_int_equal(domain.vif_count, 3);
	assert_memory_equal(domain.vifs[0].mac, "\x00\x16\x3e\x74\x3d\x76", 6);
	assert_string_equal(domain.vifs[0].bridge, "xenbr0");
	assert_int_equal(domain.vifs[0].devid, 0);
	assert_int_equal(domain.vifs[0].rate_bytes, 0);
	assert_true(domain.vifs[0].trusted);
	assert_false(domain.vifs[1].has_mac);
	assert_int_equal(domain.vifs[1].devid, 1);
	assert_int_equal(domain.vifs[2].devid, 7);
	assert_int_equal(domain.vifs[2].rate_bytes, 20000);
	assert_int_equal(domain.vifs[2].rate_interval_us, 20000);
	assert_int_equal(domain.vifs[2].mtu, 9000);
	assert_false(domain.vifs[2].trusted);
	right(LEAST "vif=['rate=10Mb/s']");
	assert_int_equal(domain.vifs[0].rate_bytes, 62500);
	assert_int_equal(domain.vifs[0].rate_interval_us, 50000);
	right(LEAST "vif=['rate=250KB/s']");
	assert_int_equal(domain.vifs[0].rate_bytes, 12500);
}

static void wrong_device(const char *text, const char *message)
{
	assert_false(take(text));
	*strchr(said, '\n') = 0;
	assert_string_equal(said, message);
}

static void test_bad_vifs(void **state)
{
	wrong_device(LEAST "vif=[1]", "a.cfg:3: vif: expected a string for each device");
	wrong_device(LEAST "vif=['',\n'mac=00:16']",
		     "a.cfg:4: vif: mac: expected six pairs of hexadecimal digits with "
		     "colons, found `00:16'");
	wrong_device(LEAST "vif=['x=y']", "a.cfg:3: vif: there is no keyword `x'");
	wrong_device(LEAST "vif=['x']", "a.cfg:3: vif: expected KEYWORD=VALUE, found `x'");
	wrong_device(LEAST "vif=['rate=9']",
		     "a.cfg:3: vif: rate: expected something like 10Mb/s or 1MB/s@20ms, found `9'");
	assert_false(take(LEAST "vif=['rate=99999999999GB/s']"));
	assert_false(take(LEAST "vif=['rate=1MB/s@2h']"));
	assert_false(take(LEAST "vif=['mtu=1']"));
	assert_false(take(LEAST "vif=['mac=00:16:3e:00:00:0']"));
	assert_false(take(LEAST "vif=['mac=00:16:3e:00:00:001']"));
}

static struct pool pool;
static struct disk_config disk;

static void assert_disk(const char *spec, const char *target, const char *format, const char *vdev,
			bool read_only, bool cdrom)
{
	struct device_error error;

	pool_free(&pool);
	if (!disk_config_parse(&disk, spec, &pool, &error))
		fail_msg("%s: %s", spec, error.text);
	if (target)
		assert_string_equal(disk.target, target);
	else
		assert_null(disk.target);
	assert_string_equal(disk.format, format);
	assert_string_equal(disk.vdev, vdev);
	assert_int_equal(disk.read_only, read_only);
	assert_int_equal(disk.cdrom, cdrom);
}

/* The manual's own examples, then its corners. */
static void test_disks(void **state)
{
	assert_disk("/dev/vg/guest-volume,,hda", "/dev/vg/guest-volume", "raw", "hda", false,
		    false);
	assert_disk("/dev/vg/guest-volume,raw,hda,rw", "/dev/vg/guest-volume", "raw", "hda", false,
		    false);
	assert_disk("format=raw, vdev=hda, access=rw, target=/dev/vg/guest-volume",
		    "/dev/vg/guest-volume", "raw", "hda", false, false);
	assert_disk("raw:/dev/vg/guest-volume,hda,w", "/dev/vg/guest-volume", "raw", "hda", false,
		    false);
	assert_disk("/srv/image.iso,,hdc,cdrom", "/srv/image.iso", "raw", "hdc", true, true);
	assert_disk("/srv/image.iso,,hdc,,cdrom", "/srv/image.iso", "raw", "hdc", true, true);
	assert_disk("/srv/image.iso,raw,hdc,devtype=cdrom", "/srv/image.iso", "raw", "hdc", true,
		    true);
	assert_disk("format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/srv/image.iso",
		    "/srv/image.iso", "raw", "hdc", true, true);
	assert_disk("raw:/srv/image.iso,hdc:cdrom,ro", "/srv/image.iso", "raw", "hdc", true, true);
	assert_disk(",hdc:cdrom,r", NULL, "raw", "hdc", true, true);
	assert_disk("vdev=xvda,target=/a,b:c d ", "/a,b:c d ", "raw", "xvda", false, false);
	assert_disk("tap:aio:qcow2:/a,xvdb,ro", "/a", "qcow2", "xvdb", true, false);
	assert_disk("/a,qcow2,xvda,ro,no-discard,direct-io-safe", "/a", "qcow2", "xvda", true,
		    false);
	assert_false(disk.discard);
	assert_true(disk.direct_io_safe);
	assert_false(disk.pause);
	assert_disk("/a,raw,xvda,rw,on-error=pause", "/a", "raw", "xvda", false, false);
	assert_true(disk.pause);
	assert_disk("/a,raw,xvda,rw,on-error=report", "/a", "raw", "xvda", false, false);
	assert_false(disk.pause);
	assert_disk("iscsi:iqn,xvda,rw", "iqn", "raw", "xvda", false, false);
	assert_string_equal(disk.script, "block-iscsi");
	assert_disk("tap2:tapdisk:aio:vhd:/a,xvda,w", "/a", "vhd", "xvda", false, false);
	assert_disk("phy:/dev/disk0,xvda,w", "/dev/disk0", "raw", "xvda", false, false);
	assert_disk(" vdev = xvda , /a , raw ", "/a", "raw", "xvda", false, false);
	assert_disk(",,xvda,target=/a,vdev=xvdb", "/a,vdev=xvdb", "raw", "xvda", false, false);
	assert_false(disk.shared);
	assert_int_equal(disk.limit_bytes, 0);
	assert_disk("/a,,xvda,w!,limit-rate=10MB/s,limit-requests=500", "/a", "raw", "xvda", false,
		    false);
	assert_true(disk.shared);
	assert_int_equal(disk.limit_bytes, 10000000);
	assert_int_equal(disk.limit_requests, 500);
	pool_free(&pool);
}

static void test_configured_disks(void **state)
{
	right(
	    LEAST
	    "disk=['/a,,xvda','phy:/dev/disk0p1,d3p1,r', 'vdev=hdc,cdrom,backendtype=phy,target=/x']");
	assert_string_equal(said, "");
	assert_int_equal(domain.disk_count, 3);
	assert_int_equal(domain.disks[1].number, 202 << 8 | 3 << 4 | 1);
	assert_true(domain.disks[1].read_only);
	assert_true(domain.disks[2].cdrom);
}

/* What is specified rightly, and cannot be done here. */
static void test_refused_devices(void **state)
{
	wrong(LEAST "disk=['/a,qcow2,xvda']",
	      "a.cfg:3: disk: format: qcow2 is not supported, only raw; convert it with: qemu-img "
	      "convert -O raw\n");
	wrong(
	    LEAST "disk=['nbd:h:1,xvda,w']",
	    "a.cfg:3: disk: script: there are no scripts here, `block-nbd' cannot be run; name what "
	    "holds the contents as target\n");
	wrong(LEAST "disk=[',hdc:cdrom,r']",
	      "a.cfg:3: disk: an empty drive cannot be filled later; leave it out, and use "
	      "block-attach\n");
	wrong(LEAST "disk=['/a,,xvda,backendtype=standalone']",
	      "a.cfg:3: disk: backendtype: expected phy or nothing, found `standalone'\n");
	wrong(LEAST "disk=['/a,,xvda,specification=virtio']",
	      "a.cfg:3: disk: specification: expected xen, found `virtio'\n");
	wrong(
	    LEAST "disk=['/a,,xvda,backend=stor']",
	    "a.cfg:3: disk: backend: devices are served by Domain-0 alone, not by `stor': there are "
	    "no driver domains here\n");
	wrong(LEAST "disk=['/a,,xvda',\n'/b,,51712']",
	      "a.cfg:4: disk: 51712 is another disk already\n");
	wrong(LEAST "vif=['script=vif-route']",
	      "a.cfg:3: vif: script: there are no scripts here, `vif-route' cannot be run; name a "
	      "bridge instead\n");
	wrong(
	    LEAST "vif=['gatewaydev=eth0']",
	    "a.cfg:3: vif: gatewaydev: interfaces are bridged, not routed; name a bridge instead\n");
	wrong(
	    LEAST "vif=['mac=01:16:3e:00:00:01']",
	    "a.cfg:3: vif: mac: an interface's own address cannot be a group's: its first byte must "
	    "be even\n");
	wrong(LEAST "vif=['','devid=0']", "a.cfg:3: vif: devid 0 is that of another interface\n");
	right(LEAST "vif=['script=vif-bridge,backend=Domain-0,type=vif,model=e1000']");
}

static void test_bad_disks(void **state)
{
	wrong_device(
	    LEAST "disk=['/a,raw']",
	    "a.cfg:3: disk: vdev is missing: what the guest shall call the disk, as in xvda");
	wrong_device(LEAST "disk=['/a,raw,xyz']",
		     "a.cfg:3: disk: vdev: expected something like xvda, sda or hda1, found `xyz'");
	wrong_device(LEAST "disk=['/a,zip,xvda']",
		     "a.cfg:3: disk: format: expected raw, qcow, qcow2, vhd or qed, found `zip'");
	wrong_device(LEAST "disk=['/a,,xvda,x']",
		     "a.cfg:3: disk: access: expected ro or rw, found `x'");
	wrong_device(LEAST "disk=['/a,,xvda,rw,more']",
		     "a.cfg:3: disk: `more' is one value too many");
	wrong_device(LEAST "disk=['/a,,xvda,vdev=xvdb']", "a.cfg:3: disk: vdev is given twice");
	wrong_device(LEAST "disk=[',,xvda']",
		     "a.cfg:3: disk: target is missing: what holds the disk's contents");
	wrong_device(LEAST "disk=['/a,,xvda,colo']",
		     "a.cfg:3: disk: access: expected ro or rw, found `colo'");
	wrong_device(LEAST "disk=['/a,,xvda,colo-port=1']",
		     "a.cfg:3: disk: COLO (`colo-port') is not supported");
	wrong_device(
	    LEAST "disk=['/a,,xvda,limit-rate=10MB/s@5ms']",
	    "a.cfg:3: disk: limit-rate: expected something like 10MB/s, found `10MB/s@5ms'");
	wrong_device(
	    LEAST "disk=['/a,,xvda,limit-requests=0']",
	    "a.cfg:3: disk: limit-requests: expected a number from 1 to 10000000, found `0'");
	wrong_device(
	    LEAST "disk=['PARTLABEL=web,,xvda']",
	    "a.cfg:3: disk: a target with `=' in it, as `PARTLABEL=...', is written last and "
	    "with its keyword: target=...");
	wrong_device(LEAST "disk=['/a,,xvda,x=1']", "a.cfg:3: disk: there is no keyword `x'");
	wrong_device(LEAST "disk=['/a,,xvda,on-error=x']",
		     "a.cfg:3: disk: on-error is `pause' or `report', not `x'");
}

static void assert_number(const char *vdev, uint32_t number)
{
	uint32_t found = 0;

	assert_true(disk_number(vdev, &found));
	assert_int_equal(found, number);
}

/* xen-vbd-interface(7) */
static void test_disk_numbers(void **state)
{
	uint32_t number;

	assert_number("xvda", 202 << 8);
	assert_number("xvdb3", 202 << 8 | 1 << 4 | 3);
	assert_number("xvdp15", 202 << 8 | 15 << 4 | 15);
	assert_number("xvdq", 1 << 28 | 16 << 8);
	assert_number("xvda16", 1 << 28 | 16);
	assert_number("xvdaa", 1 << 28 | 26 << 8);
	assert_number("d0", 202 << 8);
	assert_number("d16p2", 1 << 28 | 16 << 8 | 2);
	assert_number("hda", 3 << 8);
	assert_number("hdb1", 3 << 8 | 1 << 6 | 1);
	assert_number("hdc", 22 << 8);
	assert_number("hdd2", 22 << 8 | 1 << 6 | 2);
	assert_number("sda", 8 << 8);
	assert_number("sdp15", 8 << 8 | 255);
	assert_number("51712", 51712);
	assert_false(disk_number("xvd", &number));
	assert_false(disk_number("xvda0", &number));
	assert_false(disk_number("xvda256", &number));
	assert_false(disk_number("xvdaaaaa", &number));
	assert_false(disk_number("hde", &number));
	assert_false(disk_number("sda16", &number));
	assert_false(disk_number("sdA", &number));
	assert_false(disk_number("d1p", &number));
	assert_false(disk_number("", &number));
}

static int teardown(void **state)
{
	domain_config_free(&domain);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_name),
	    cmocka_unit_test(test_uuid),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_vcpus),
	    cmocka_unit_test(test_cpu_sets),
	    cmocka_unit_test(test_affinity),
	    cmocka_unit_test(test_cmdline),
	    cmocka_unit_test(test_actions),
	    cmocka_unit_test(test_hardware),
	    cmocka_unit_test(test_bad_hardware),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_control_characters),
	    cmocka_unit_test(test_vifs),
	    cmocka_unit_test(test_bad_vifs),
	    cmocka_unit_test(test_disks),
	    cmocka_unit_test(test_configured_disks),
	    cmocka_unit_test(test_refused_devices),
	    cmocka_unit_test(test_bad_disks),
	    cmocka_unit_test(test_disk_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
