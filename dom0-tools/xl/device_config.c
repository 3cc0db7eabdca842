/* SPDX-License-Identifier: MIT */
#include "xl/device_config.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\n"

static bool wrong(struct device_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool wrong(struct device_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return false;
}

/* A whole decimal number of at most `limit`. */
static bool read_number(const char *text, unsigned long limit, unsigned long *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return !*end && !errno && *number <= limit;
}

/* Take the blanks at both ends away; in place. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length && strchr(BLANKS, text[length - 1]))
		text[--length] = 0;
	return text;
}

/* Network interfaces */

bool mac_parse(const char *text, uint8_t mac[6])
{
	for (unsigned int i = 0; i < 6; i++) {
		char digits[3] = {text[0], text[0] ? text[1] : 0, 0};

		if (strspn(digits, "0123456789abcdefABCDEF") != 2 || text[2] != (i < 5 ? ':' : 0))
			return false;
		mac[i] = (uint8_t)strtoul(digits, NULL, 16);
		text += 3;
	}
	return true;
}

void mac_print(const uint8_t mac[6], char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
}

/* The multiplier of a unit at *at, which moves past it; 0: no such unit. */
static uint64_t rate_unit(const char **at)
{
	static const struct {
		const char *name;
		uint64_t bits;
	} units[] = {{"GB/s", 8000000000}, {"MB/s", 8000000}, {"KB/s", 8000}, {"B/s", 8},
		     {"Gb/s", 1000000000}, {"Mb/s", 1000000}, {"Kb/s", 1000}, {"b/s", 1}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t length = strlen(units[i].name);

		if (!strncmp(*at, units[i].name, length)) {
			*at += length;
			return units[i].bits;
		}
	}
	return 0;
}

/* RATE/s, of at most 10^7 units: bits a second. *at moves past it; false: it is none. */
static bool read_speed(const char **at, uint64_t *bits)
{
	uint64_t unit;
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	*bits = strtoull(*at, &end, 10);
	*at = end;
	unit = rate_unit(at);
	if (!unit || *bits == 0 || *bits > 10000000)
		return false;
	*bits *= unit;
	return *bits <= 80000000000000;
}

static uint64_t interval_unit(const char *unit)
{
	if (!strcmp(unit, "us"))
		return 1;
	if (!strcmp(unit, "ms"))
		return 1000;
	return !strcmp(unit, "s") ? 1000000 : 0;
}

/* RATE/s or RATE/s@INTERVAL: 10Mb/s, 250KB/s, 1MB/s@20ms. */
static bool read_rate(const char *text, struct vif_config *vif)
{
	uint64_t rate, interval = 50, unit;
	const char *at = text;
	char *end;

	if (!read_speed(&at, &rate))
		return false;
	unit = 1000;
	if (*at == '@') {
		if (*++at < '0' || *at > '9')
			return false;
		interval = strtoull(at, &end, 10);
		unit = interval_unit(end);
	} else if (*at) {
		return false;
	}
	if (!unit || interval == 0 || interval > 1000000 || interval * unit > 1000000)
		return false;
	vif->rate_interval_us = (uint32_t)(interval * unit);
	vif->rate_bytes = rate / 8 * vif->rate_interval_us / 1000000;
	if (!vif->rate_bytes)
		vif->rate_bytes = 1;
	return true;
}

static const char **vif_string(struct vif_config *vif, const char *key)
{
	if (!strcmp(key, "bridge"))
		return &vif->bridge;
	if (!strcmp(key, "gatewaydev") || !strcmp(key, "netdev"))
		return &vif->gatewaydev;
	if (!strcmp(key, "type"))
		return &vif->type;
	if (!strcmp(key, "model"))
		return &vif->model;
	if (!strcmp(key, "vifname"))
		return &vif->vifname;
	if (!strcmp(key, "script"))
		return &vif->script;
	if (!strcmp(key, "ip"))
		return &vif->ip;
	if (!strcmp(key, "backend"))
		return &vif->backend;
	return NULL;
}

static bool vif_setting(struct vif_config *vif, const char *key, const char *value,
			struct device_error *error)
{
	const char **string = vif_string(vif, key);
	unsigned long number;

	if (string) {
		*string = value;
		return true;
	}
	if (!strcmp(key, "mac")) {
		vif->has_mac = true;
		return mac_parse(value, vif->mac) ||
		       wrong(
			   error,
			   "mac: expected six pairs of hexadecimal digits with colons, found `%.40s'",
			   value);
	}
	if (!strcmp(key, "rate"))
		return read_rate(value, vif) ||
		       wrong(error,
			     "rate: expected something like 10Mb/s or 1MB/s@20ms, found `%.40s'",
			     value);
	if (!strcmp(key, "devid")) {
		if (!read_number(value, 65535, &number))
			return wrong(error, "devid: expected a number, found `%.40s'", value);
		vif->devid = (unsigned int)number;
		vif->has_devid = true;
		return true;
	}
	if (!strcmp(key, "mtu")) {
		if (!read_number(value, 65535, &number) || number < 68)
			return wrong(
			    error, "mtu: expected a number from 68 to 65535, found `%.40s'", value);
		vif->mtu = (unsigned int)number;
		return true;
	}
	return wrong(error, "there is no keyword `%.40s'", key);
}

bool vif_config_parse(struct vif_config *vif, const char *text, unsigned int devid,
		      struct pool *pool, struct device_error *error)
{
	char *rest = pool_copy(pool, text, strlen(text)), *part, *value;

	*vif = (struct vif_config){.devid = devid, .trusted = true};
	if (!rest)
		return wrong(error, "out of memory");
	while ((part = strsep(&rest, ",")) != NULL) {
		part = trim(part);
		if (!*part)
			continue;
		value = strchr(part, '=');
		if (value) {
			*value++ = 0;
			if (!vif_setting(vif, trim(part), trim(value), error))
				return false;
		} else if (!strcmp(part, "trusted") || !strcmp(part, "untrusted")) {
			vif->trusted = *part == 't';
		} else {
			return wrong(error, "expected KEYWORD=VALUE, found `%.40s'", part);
		}
	}
	if (vif->type && strcmp(vif->type, "vif") != 0 && strcmp(vif->type, "ioemu") != 0)
		return wrong(error, "type: expected `vif' or `ioemu', found `%.40s'", vif->type);
	return true;
}

/* A domain that has back halves: there is this one. */
static bool check_backend(const char *backend, struct device_error *error)
{
	return !backend || !strcmp(backend, "0") || !strcmp(backend, "Domain-0") ||
	       wrong(error,
		     "backend: devices are served by Domain-0 alone, not by `%.40s': there are no "
		     "driver domains here",
		     backend);
}

bool vif_config_check(const struct vif_config *vif, struct device_error *error)
{
	const char *script = vif->script;

	if (vif->has_mac && vif->mac[0] & 1)
		return wrong(error, "mac: an interface's own address cannot be a group's: its "
				    "first byte must be even");
	/* The usual one says what is done here anyway. */
	if (script && strcmp(script, "vif-bridge") != 0 &&
	    strcmp(script, "/etc/xen/scripts/vif-bridge") != 0)
		return wrong(error,
			     "script: there are no scripts here, `%.40s' cannot be run; name a "
			     "bridge instead",
			     script);
	if (vif->gatewaydev)
		return wrong(error, "gatewaydev: interfaces are bridged, not routed; name a bridge "
				    "instead");
	return check_backend(vif->backend, error);
}

/* Disks */

/* Letters as a number, a = 0, z = 25, aa = 26; *at moves past them. False: none, or too many. */
static bool read_letters(const char **at, uint32_t *disk)
{
	uint32_t number = 0;
	const char *start = *at;

	for (; **at >= 'a' && **at <= 'z' && *at - start < 4; ++*at)
		number = number * 26 + (uint32_t)(**at - 'a') + 1;
	*disk = number - 1;
	return *at > start && !(**at >= 'a' && **at <= 'z');
}

static bool read_partition(const char *text, uint32_t *partition)
{
	unsigned long number = 0;

	if (*text && (!read_number(text, 255, &number) || *text == '0'))
		return false;
	*partition = (uint32_t)number;
	return true;
}

/* Numbers of xen-vbd-interface(7). */
static bool make_number(const char *kind, uint32_t disk, uint32_t partition, uint32_t *number)
{
	if (!strcmp(kind, "hd")) {
		*number = disk < 2 ? 3 << 8 | disk << 6 | partition
				   : 22 << 8 | (disk - 2) << 6 | partition;
		return disk < 4 && partition < 64;
	}
	if (!strcmp(kind, "sd")) {
		*number = 8 << 8 | disk << 4 | partition;
		return disk < 16 && partition < 16;
	}
	*number = disk < 16 && partition < 16 ? 202 << 8 | disk << 4 | partition
					      : 1 << 28 | disk << 8 | partition;
	return disk < 1 << 20 && partition < 256;
}

/* dDISKpPARTITION */
static bool numbered_disk(const char *vdev, uint32_t *number)
{
	unsigned long disk, partition = 0;
	char *end;

	if (vdev[0] != 'd' || vdev[1] < '0' || vdev[1] > '9')
		return false;
	disk = strtoul(vdev + 1, &end, 10);
	if (*end == 'p' ? !read_number(end + 1, 255, &partition) : *end != 0)
		return false;
	return disk < 1 << 20 && make_number("xvd", (uint32_t)disk, (uint32_t)partition, number);
}

bool disk_number(const char *vdev, uint32_t *number)
{
	static const char *const kinds[] = {"xvd", "hd", "sd"};
	uint32_t disk, partition;
	unsigned long plain;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i]);
		const char *at = vdev + length;

		if (!strncmp(vdev, kinds[i], length))
			return read_letters(&at, &disk) && read_partition(at, &partition) &&
			       make_number(kinds[i], disk, partition, number);
	}
	if (numbered_disk(vdev, number))
		return true;
	if (!read_number(vdev, 0x1fffffff, &plain))
		return false;
	*number = (uint32_t)plain;
	return true;
}

/* The four that need no keyword, in their order. */
enum { TARGET, FORMAT, VDEV, ACCESS, POSITIONS };

struct disk_reader {
	struct disk_config *disk;
	struct device_error *error;
	struct pool *pool;
	const char *position[POSITIONS]; /* NULL: not yet said */
	const char *devtype;
};

static bool once(struct disk_reader *r, unsigned int which, const char *name, const char *value)
{
	if (r->position[which] && *r->position[which])
		return wrong(r->error, "%s is given twice", name);
	r->position[which] = value;
	return true;
}

static bool is_colo(const char *key)
{
	return !strncmp(key, "colo", 4) || !strcmp(key, "active-disk") ||
	       !strcmp(key, "hidden-disk");
}

/* What dom0's disks are found by, but is no keyword here. */
static bool names_disk(const char *key)
{
	return !strcmp(key, "LABEL") || !strcmp(key, "PARTLABEL") || !strcmp(key, "PARTUUID") ||
	       !strcmp(key, "UUID");
}

static bool on_error(struct disk_reader *r, const char *value)
{
	r->disk->pause = !strcmp(value, "pause");
	return r->disk->pause || !strcmp(value, "report") ||
	       wrong(r->error, "on-error is `pause' or `report', not `%.40s'", value);
}

static bool limit_rate(struct disk_reader *r, const char *value)
{
	const char *at = value;
	uint64_t bits;

	if (!read_speed(&at, &bits) || *at || bits < 8)
		return wrong(r->error, "limit-rate: expected something like 10MB/s, found `%.40s'",
			     value);
	r->disk->limit_bytes = bits / 8;
	return true;
}

static bool limit_requests(struct disk_reader *r, const char *value)
{
	unsigned long number;

	if (!read_number(value, 10000000, &number) || !number)
		return wrong(r->error,
			     "limit-requests: expected a number from 1 to 10000000, found `%.40s'",
			     value);
	r->disk->limit_requests = (uint32_t)number;
	return true;
}

static bool disk_setting(struct disk_reader *r, const char *key, const char *value)
{
	if (!strcmp(key, "format"))
		return once(r, FORMAT, key, value);
	if (!strcmp(key, "vdev"))
		return once(r, VDEV, key, value);
	if (!strcmp(key, "access"))
		return once(r, ACCESS, key, value);
	if (!strcmp(key, "on-error"))
		return on_error(r, value);
	if (!strcmp(key, "limit-rate"))
		return limit_rate(r, value);
	if (!strcmp(key, "limit-requests"))
		return limit_requests(r, value);
	if (!strcmp(key, "devtype"))
		r->devtype = value;
	else if (!strcmp(key, "backend"))
		r->disk->backend = value;
	else if (!strcmp(key, "backendtype"))
		r->disk->backendtype = value;
	else if (!strcmp(key, "script"))
		r->disk->script = value;
	else if (!strcmp(key, "specification"))
		r->disk->specification = value;
	else
		return wrong(r->error,
			     is_colo(key) ? "COLO (`%.40s') is not supported"
			     : names_disk(key)
				 ? "a target with `=' in it, as `%.40s=...', is written "
				   "last and with its keyword: target=..."
				 : "there is no keyword `%.40s'",
			     key);
	return true;
}

static bool disk_flag(struct disk_reader *r, const char *flag)
{
	struct disk_config *disk = r->disk;

	if (!strcmp(flag, "cdrom"))
		r->devtype = flag;
	else if (!strcmp(flag, "direct-io-safe"))
		disk->direct_io_safe = true;
	else if (!strcmp(flag, "discard") || !strcmp(flag, "no-discard"))
		disk->discard = *flag == 'd';
	else if (!strcmp(flag, "trusted") || !strcmp(flag, "untrusted"))
		disk->trusted = *flag == 't';
	else
		return false;
	return true;
}

static bool disk_position(struct disk_reader *r, const char *value)
{
	for (unsigned int i = 0; i < POSITIONS; i++)
		if (!r->position[i]) {
			r->position[i] = value;
			return true;
		}
	return wrong(r->error, "`%.40s' is one value too many", value);
}

/* nbd://HOST..., which is no prefix but a whole target. */
static bool is_network_disk(const char *text)
{
	return !strncmp(text, "nbd://", 6);
}

/* The prefixes of old: formats and scripts that they stand for, and some without a meaning any more. */
static const char *strip_prefixes(struct disk_reader *r, const char *target)
{
	static const char *const formats[] = {"raw", "qcow", "qcow2", "vhd"};
	static const char *const scripts[] = {"iscsi", "nbd", "enbd", "drbd"};
	static const char *const nothing[] = {"tapdisk", "tap2", "tap", "aio",
					      "ioemu",	 "file", "phy"};
	const char *colon;

	while (!is_network_disk(target) && (colon = strchr(target, ':')) != NULL) {
		size_t length = (size_t)(colon - target);
		bool found = false;

#define IS(name) (strlen(name) == length && !strncmp(target, name, length))
		for (unsigned int i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
			if (IS(formats[i])) {
				r->position[FORMAT] = formats[i];
				found = true;
			}
		for (unsigned int i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
			if (IS(scripts[i])) {
				r->disk->script = pool_printf(r->pool, "block-%s", scripts[i]);
				found = true;
			}
		for (unsigned int i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
			found = found || IS(nothing[i]);
#undef IS
		if (!found)
			break;
		target = colon + 1;
	}
	return target;
}

/* With a prefix, what stands second is the device: the old syntax has no place for a format. */
static bool old_syntax(const char *text)
{
	static const char *const prefixes[] = {
	    "raw:", "qcow:", "qcow2:", "vhd:",	 "iscsi:", "nbd:", "enbd:",   "drbd:",
	    "tap:", "tap2:", "aio:",   "ioemu:", "file:",  "phy:", "tapdisk:"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(text, prefixes[i], strlen(prefixes[i])))
			return !is_network_disk(text);
	return false;
}

static bool is_one_of(const char *value, const char *const *of)
{
	for (; *of; of++)
		if (!strcmp(value, *of))
			return true;
	return false;
}

/* Everything has been read: the meaning of it. */
static bool finish_disk(struct disk_reader *r)
{
	static const char *const formats[] = {"raw", "qcow", "qcow2", "vhd", "qed", NULL};
	static const char *const reads[] = {"ro", "r", NULL}, *const writes[] = {"rw", "w", "w!",
										 NULL};
	struct disk_config *disk = r->disk;
	const char *access, *colon;

	/* ",hdc:cdrom,r": the old form of an empty drive has no place for a format either. */
	if (r->position[FORMAT] && strchr(r->position[FORMAT], ':') && !r->position[ACCESS]) {
		r->position[ACCESS] = r->position[VDEV];
		r->position[VDEV] = r->position[FORMAT];
		r->position[FORMAT] = NULL;
	}
	access = r->position[ACCESS];
	disk->format = r->position[FORMAT] && *r->position[FORMAT] ? r->position[FORMAT] : "raw";
	if (!is_one_of(disk->format, formats))
		return wrong(r->error,
			     "format: expected raw, qcow, qcow2, vhd or qed, found `%.40s'",
			     disk->format);
	disk->vdev = r->position[VDEV];
	if (!disk->vdev || !*disk->vdev)
		return wrong(r->error,
			     "vdev is missing: what the guest shall call the disk, as in xvda");
	colon = strchr(disk->vdev, ':');
	if (colon) {
		r->devtype = colon + 1;
		disk->vdev = pool_copy(r->pool, disk->vdev, (size_t)(colon - disk->vdev));
		if (!disk->vdev)
			return wrong(r->error, "out of memory");
	}
	if (!disk_number(disk->vdev, &disk->number))
		return wrong(r->error,
			     "vdev: expected something like xvda, sda or hda1, found `%.40s'",
			     disk->vdev);
	if (r->devtype && strcmp(r->devtype, "cdrom") != 0 && strcmp(r->devtype, "disk") != 0)
		return wrong(r->error, "devtype: expected `cdrom', found `%.40s'", r->devtype);
	disk->cdrom = r->devtype && !strcmp(r->devtype, "cdrom");
	if (!access || !*access)
		access = disk->cdrom ? "ro" : "rw";
	if (!is_one_of(access, reads) && !is_one_of(access, writes))
		return wrong(r->error, "access: expected ro or rw, found `%.40s'", access);
	disk->read_only = is_one_of(access, reads);
	disk->shared = !strcmp(access, "w!");
	disk->target = r->position[TARGET] && *r->position[TARGET] ? r->position[TARGET] : NULL;
	if (!disk->target && !disk->cdrom)
		return wrong(r->error, "target is missing: what holds the disk's contents");
	return true;
}

bool disk_config_check(const struct disk_config *disk, struct device_error *error)
{
	if (strcmp(disk->format, "raw") != 0)
		return wrong(error,
			     "format: %.20s is not supported, only raw; convert it with: qemu-img "
			     "convert -O raw",
			     disk->format);
	if (disk->script)
		return wrong(error,
			     "script: there are no scripts here, `%.40s' cannot be run; name what "
			     "holds the contents as target",
			     disk->script);
	if (!disk->target)
		return wrong(error, "an empty drive cannot be filled later; leave it out, and use "
				    "block-attach");
	if (disk->backendtype && strcmp(disk->backendtype, "phy") != 0 &&
	    strcmp(disk->backendtype, "qdisk") != 0)
		return wrong(error, "backendtype: expected phy or nothing, found `%.40s'",
			     disk->backendtype);
	if (disk->specification && strcmp(disk->specification, "xen") != 0)
		return wrong(error, "specification: expected xen, found `%.40s'",
			     disk->specification);
	return check_backend(disk->backend, error);
}

bool disk_config_parse(struct disk_config *disk, const char *text, struct pool *pool,
		       struct device_error *error)
{
	struct disk_reader r = {.disk = disk, .error = error, .pool = pool};
	char *rest = pool_copy(pool, text, strlen(text)), *part, *value;

	*disk = (struct disk_config){.discard = true, .trusted = true};
	if (!rest)
		return wrong(error, "out of memory");
	if (old_syntax(rest))
		r.position[FORMAT] = "";
	while (rest) {
		rest += strspn(rest, BLANKS);
		if (!strncmp(rest, "target=", 7)) {
			if (!once(&r, TARGET, "target", rest + 7))
				return false;
			break;
		}
		part = trim(strsep(&rest, ","));
		value = strchr(part, '=');
		if (value) {
			*value++ = 0;
			if (!disk_setting(&r, trim(part), trim(value)))
				return false;
		} else if (!disk_flag(&r, part) && !disk_position(&r, part)) {
			return false;
		}
		if (r.position[TARGET] == part)
			r.position[TARGET] = strip_prefixes(&r, part);
	}
	return pool->failed ? wrong(error, "out of memory") : finish_disk(&r);
}
