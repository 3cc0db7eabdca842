/* SPDX-License-Identifier: MIT */
/*
 * The store: a small tree of names and values, kept by a daemon, through which domains and tools agree
 * on devices and settings. This is the protocol between the daemon and a client.
 *
 * A message is a struct xsd_sockmsg and len bytes of payload, at most XENSTORE_PAYLOAD_MAX. The client sends
 * requests; the daemon answers each with a message of the same type and req_id, or of type XS_ERROR
 * with the name of an error ("ENOENT") as payload, and sends XS_WATCH_EVENT on its own. "P|" below is
 * a string ended by a zero byte; paths that do not begin with '/' are relative to /local/domain/N.
 *
 *  type                   request                    answer
 *  XS_DIRECTORY           path|                      names of the children, each ended by 0
 *  XS_DIRECTORY_PART      path|offset|               generation| and a part of the same, ending in an
 *                                                    empty string at the end of the list
 *  XS_READ                path|                      value, without 0
 *  XS_WRITE               path|value                 OK|
 *  XS_MKDIR, XS_RM        path|                      OK|
 *  XS_GET_PERMS           path|                      permissions, each ended by 0: a letter (n none, r
 *                                                    read, w write, b both) and a domain number; the
 *                                                    first is the owner's, and the default for all
 *  XS_SET_PERMS           path|perm|perm|...         OK|
 *  XS_WATCH               path|token|                OK|, then an event at once
 *  XS_UNWATCH             path|token|                OK|
 *  XS_RESET_WATCHES       |                          OK|: ends all watches and transactions
 *  XS_WATCH_EVENT         (daemon)                   path|token|: something at or below path changed
 *  XS_TRANSACTION_START   |                          number|, to be put in tx_id of what belongs to it
 *  XS_TRANSACTION_END     T| or F|                   OK|; "EAGAIN" if others interfered: start again
 *  XS_GET_DOMAIN_PATH     domid|                     path|
 *  XS_INTRODUCE, XS_RELEASE, XS_IS_DOMAIN_INTRODUCED, XS_RESUME, XS_SET_TARGET: for the tools
 *  XS_CONTROL             command|...                for the administrator
 *
 * A guest speaks it through a page (start_info.store_mfn) and an event channel. To send bytes it
 *  1. reads req_cons and req_prod; full barrier; room is XENSTORE_RING_SIZE - (req_prod - req_cons);
 *  2. writes bytes at req[MASK_XENSTORE_IDX(req_prod)] on; write barrier; then raises req_prod;
 *  3. sends on the channel.
 * To receive, when the channel has an event, it
 *  1. reads rsp_cons and rsp_prod; read barrier; there are rsp_prod - rsp_cons bytes;
 *  2. takes them; full barrier; then raises rsp_cons;
 *  3. sends on the channel.
 */
#ifndef _XS_WIRE_H
#define _XS_WIRE_H

#include <stdint.h>

enum xsd_sockmsg_type {
	XS_CONTROL,
#define XS_DEBUG XS_CONTROL
	XS_DIRECTORY,
	XS_READ,
	XS_GET_PERMS,
	XS_WATCH,
	XS_UNWATCH,
	XS_TRANSACTION_START,
	XS_TRANSACTION_END,
	XS_INTRODUCE,
	XS_RELEASE,
	XS_GET_DOMAIN_PATH,
	XS_WRITE,
	XS_MKDIR,
	XS_RM,
	XS_SET_PERMS,
	XS_WATCH_EVENT,
	XS_ERROR,
	XS_IS_DOMAIN_INTRODUCED,
	XS_RESUME,
	XS_SET_TARGET,
	/* one number is no longer used */
	XS_RESET_WATCHES = XS_SET_TARGET + 2,
	XS_DIRECTORY_PART,

	XS_TYPE_COUNT, /* one more than the highest */

	XS_INVALID = 0xffff /* never a type */
};

/* Words of an older form of XS_WRITE; no longer sent. */
#define XS_WRITE_NONE	     "NONE"
#define XS_WRITE_CREATE	     "CREATE"
#define XS_WRITE_CREATE_EXCL "CREATE|EXCL"

/* The errors that the daemon sends by name, for includers that have <errno.h> (or like). */
struct xsd_errors {
	int errnum;
	const char *errstring;
};
#ifdef EINVAL
#define XSD_ERROR(x)  \
	{             \
		x, #x \
	}
static const struct xsd_errors xsd_errors[]
#if defined(__GNUC__)
    __attribute__((unused))
#endif
    = {
	/* clang-format off */
		XSD_ERROR(EINVAL),
		XSD_ERROR(EACCES),
		XSD_ERROR(EEXIST),
		XSD_ERROR(EISDIR),
		XSD_ERROR(ENOENT),
		XSD_ERROR(ENOMEM),
		XSD_ERROR(ENOSPC),
		XSD_ERROR(EIO),
		XSD_ERROR(ENOTEMPTY),
		XSD_ERROR(ENOSYS),
		XSD_ERROR(EROFS),
		XSD_ERROR(EBUSY),
		XSD_ERROR(EAGAIN),
		XSD_ERROR(EISCONN),
		XSD_ERROR(E2BIG),
		XSD_ERROR(EPERM),
	/* clang-format on */
};
#endif

struct xsd_sockmsg {
	uint32_t type;	 /* XS_* */
	uint32_t req_id; /* the client's own number, repeated in the answer */
	uint32_t tx_id;	 /* transaction, 0 for none */
	uint32_t len;	 /* bytes of payload that follow */
};

/* Which string of XS_WATCH_EVENT's payload is which. */
enum xs_watch_type { XS_WATCH_PATH = 0, XS_WATCH_TOKEN };

#define XENSTORE_RING_SIZE 1024
typedef uint32_t XENSTORE_RING_IDX;
#define MASK_XENSTORE_IDX(idx) ((idx) & (XENSTORE_RING_SIZE - 1))

struct xenstore_domain_interface {
	char req[XENSTORE_RING_SIZE]; /* to the daemon */
	char rsp[XENSTORE_RING_SIZE]; /* from the daemon */
	XENSTORE_RING_IDX req_cons, req_prod;
	XENSTORE_RING_IDX rsp_cons, rsp_prod;
	uint32_t server_features; /* XENSTORE_SERVER_FEATURE_*, written by the daemon */
	uint32_t connection; /* XENSTORE_CONNECTED; the guest writes XENSTORE_RECONNECT to start
				   * anew, and waits until the daemon has written it back */
	uint32_t error;	     /* XENSTORE_ERROR_*, written by the daemon */
};

/* Limits: a longer payload ends the connection; longer paths give an error. */
#define XENSTORE_PAYLOAD_MAX		     4096
#define XENSTORE_ABS_PATH_MAX		     3072
#define XENSTORE_REL_PATH_MAX		     2048

#define XENSTORE_SERVER_FEATURE_RECONNECTION 1 /* `connection` works */
#define XENSTORE_SERVER_FEATURE_ERROR	     2 /* `error` exists */

#define XENSTORE_CONNECTED		     0
#define XENSTORE_RECONNECT		     1

#define XENSTORE_ERROR_NONE		     0
#define XENSTORE_ERROR_COMM		     1 /* communication failed */
#define XENSTORE_ERROR_RINGIDX		     2 /* impossible index in the ring */
#define XENSTORE_ERROR_PROTO		     3 /* protocol violated */

#endif /* _XS_WIRE_H */
