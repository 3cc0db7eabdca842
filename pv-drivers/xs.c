/* SPDX-License-Identifier: MIT */
/*
 * There is no thread that receives: whoever waits for something does it, and wakes the others when what came was
 * for one of them. So a watch may fire while no thread dispatches; it is then kept in `events`.
 */
#include <pv-drivers/xs.h>
#include <guest/format.h>
#include <guest/string.h>
#include <public/errno.h>

#define PARTS 8

/* Parts of a request's payload, sent one after the other. */
struct part {
	const void *data;
	size_t size;
};

struct xs_request {
	uint32_t id, type;
	char *result; /* for the answer */
	size_t size;
	bool in_parts; /* XS_DIRECTORY_PART: a number comes first, which goes to generation */
	char generation[24];
	long status; /* what the call returns, once done */
	bool done;
};

static struct part string(const char *text)
{
	return (struct part){text, strlen(text) + 1};
}

/* The length of the string at text, or size if no zero byte ends it within that. */
static size_t bounded_length(const char *text, size_t size)
{
	size_t length = 0;

	while (length < size && text[length])
		length++;
	return length;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* The whole text, which ends by a zero byte or by length, must be one number. */
static bool parse_number(const char *text, size_t length, unsigned int base, uint64_t *number)
{
	size_t end = bounded_length(text, length);

	*number = 0;
	for (size_t i = 0; i < end; i++) {
		unsigned int value = (unsigned int)digit(text[i]);

		if (value >= base || __builtin_mul_overflow(*number, base, number) ||
		    __builtin_add_overflow(*number, value, number))
			return false;
	}
	return end != 0;
}

/*
 * Receiving. The lock is held.
 */

static void finish(struct xs *xs, long status)
{
	xs->request->status = status;
	xs->request->done = true;
	wake_all(&xs->wait);
}

static void fail(struct xs *xs)
{
	xs->error = -XEN_EIO;
	if (xs->request)
		finish(xs, xs->error);
	wake_all(&xs->wait);
}

static long error_by_name(const char *name, size_t size)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {
#define XEN_ERRNO(error, value) {#error, value},
#include <public/errno.h>
	};
	size_t length = bounded_length(name, size);

	for (unsigned int i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strlen(errors[i].name) == length && !memcmp(errors[i].name, name, length))
			return -errors[i].number;
	return -XEN_EINVAL;
}

static void answer(struct xs *xs)
{
	struct xs_request *request = xs->request;
	const char *from = xs->payload;
	size_t size = xs->header.len;

	/* Of a request that an earlier kernel of this domain has made, maybe. */
	if (!request || request->done || xs->header.req_id != request->id)
		return;
	if (xs->header.type == XS_ERROR) {
		finish(xs, error_by_name(from, size));
		return;
	}
	if (xs->header.type != request->type) {
		fail(xs);
		return;
	}
	if (request->in_parts) {
		size_t length = bounded_length(from, size);

		if (length == size || length >= sizeof(request->generation)) {
			fail(xs);
			return;
		}
		memcpy(request->generation, from, length + 1);
		from += length + 1;
		size -= length + 1;
	}
	if (request->result) {
		if (size > request->size) {
			finish(xs, -XEN_ERANGE);
			return;
		}
		memcpy(request->result, from, size);
	}
	finish(xs, (long)size);
}

static struct xs_watch *watch_by_id(struct xs *xs, uint32_t id)
{
	struct xs_watch *watch = xs->watches;

	while (watch && watch->id != id)
		watch = watch->next;
	return watch;
}

/* The one in events[at]: where the next one begins. */
static size_t event_end(const struct xs *xs, size_t at)
{
	return at + sizeof(uint32_t) + strlen(xs->events + at + sizeof(uint32_t)) + 1;
}

static bool event_known(const struct xs *xs, uint32_t id, const char *path, size_t size)
{
	for (size_t at = 0, end; at < xs->events_used; at = end) {
		end = event_end(xs, at);
		if (end - at == sizeof(id) + size && !memcmp(xs->events + at, &id, sizeof(id)) &&
		    !memcmp(xs->events + at + sizeof(id), path, size))
			return true;
	}
	return false;
}

/* The payload is path and token, each ended by a zero byte. */
static void event(struct xs *xs)
{
	size_t size = bounded_length(xs->payload, xs->header.len) + 1;
	const char *token = xs->payload + size;
	struct xs_watch *watch;
	uint64_t id;
	char *to;

	if (size >= xs->header.len || xs->payload[xs->header.len - 1]) {
		fail(xs);
		return;
	}
	/* Not one of ours: it may have been taken away after this was sent. */
	if (!parse_number(token, xs->header.len - size, 16, &id) || id > UINT32_MAX)
		return;
	watch = watch_by_id(xs, (uint32_t)id);
	if (!watch || watch->missed || event_known(xs, watch->id, xs->payload, size))
		return;
	if (sizeof(watch->id) + size > XS_EVENTS - xs->events_used) {
		watch->missed = true;
	} else {
		to = xs->events + xs->events_used;
		memcpy(to, &watch->id, sizeof(watch->id));
		memcpy(to + sizeof(watch->id), xs->payload, size);
		xs->events_used += sizeof(watch->id) + size;
	}
	wake_all(&xs->wait);
}

/* Take what the transport has; returns whether a message became complete. */
static bool receive(struct xs *xs)
{
	bool any = false;

	while (!xs->error) {
		size_t have = xs->received, want = sizeof(xs->header);
		char *to = (char *)&xs->header + have;
		long got;

		if (have >= sizeof(xs->header)) {
			want += xs->header.len;
			to = xs->payload + (have - sizeof(xs->header));
		}
		if (have < want) {
			got = xs->transport->read(xs->transport, to, want - have);
			if (got == 0)
				break;
			if (got < 0 || (size_t)got > want - have) {
				fail(xs);
				break;
			}
			xs->received += (size_t)got;
			if (xs->received < sizeof(xs->header))
				continue;
			if (xs->header.len > sizeof(xs->payload)) {
				fail(xs);
				break;
			}
			want = sizeof(xs->header) + xs->header.len;
		}
		if (xs->received == want) {
			xs->received = 0;
			any = true;
			if (xs->header.type == XS_WATCH_EVENT)
				event(xs);
			else
				answer(xs);
		}
	}
	return any;
}

/*
 * Receive, or sleep until there may be more: in either case look again. False when time ran out. With events
 * masked from the look to the sleep, no wake-up comes in between.
 */
static bool receive_or_wait(struct xs *xs, uint64_t deadline)
{
	bool masked = events_save();
	bool in_time = true;

	if (!receive(xs) && !xs->error)
		in_time = condition_wait(&xs->wait, &xs->lock, deadline);
	events_restore(masked);
	return in_time;
}

/*
 * Requests
 */

/* While the transport is full go on receiving: the daemon may wait for that before it takes more. */
static void send(struct xs *xs, const void *data, size_t size)
{
	const char *from = data;

	while (size && !xs->error) {
		bool masked = events_save();
		long sent = xs->transport->write(xs->transport, from, size);

		if (sent < 0 || (size_t)sent > size) {
			fail(xs);
		} else if (sent == 0) {
			receive_or_wait(xs, 0);
		} else {
			from += sent;
			size -= (size_t)sent;
		}
		events_restore(masked);
	}
}

/* One request and its answer. */
static long transact(struct xs *xs, struct xs_request *request, xs_transaction t,
		     const struct part *parts, unsigned int count)
{
	struct xsd_sockmsg header = {.type = request->type, .tx_id = t};
	size_t size = 0;

	for (unsigned int i = 0; i < count; i++)
		size += parts[i].size;
	if (size > XENSTORE_PAYLOAD_MAX)
		return -XEN_EINVAL;
	header.len = (uint32_t)size;
	mutex_lock(&xs->turn);
	mutex_lock(&xs->lock);
	request->id = header.req_id = ++xs->last_request;
	request->done = false;
	xs->request = request;
	if (xs->error)
		finish(xs, xs->error);
	send(xs, &header, sizeof(header));
	for (unsigned int i = 0; i < count; i++)
		send(xs, parts[i].data, parts[i].size);
	while (!request->done)
		receive_or_wait(xs, 0);
	xs->request = NULL;
	mutex_unlock(&xs->lock);
	mutex_unlock(&xs->turn);
	return request->status;
}

static long request(struct xs *xs, uint32_t type, xs_transaction t, const struct part *parts,
		    unsigned int count, char *result, size_t size)
{
	struct xs_request r = {.type = type, .result = result, .size = size};

	return transact(xs, &r, t, parts, count);
}

/* A request whose answer is "OK". */
static long order(struct xs *xs, uint32_t type, xs_transaction t, const struct part *parts,
		  unsigned int count)
{
	long got = request(xs, type, t, parts, count, NULL, 0);

	return got < 0 ? got : 0;
}

/* A request whose answer is wanted; a zero byte is put after it. Returns its length without that. */
static long ask(struct xs *xs, uint32_t type, xs_transaction t, const struct part *parts,
		unsigned int count, char *text, size_t size)
{
	long got = -XEN_ERANGE;

	if (size)
		got = request(xs, type, t, parts, count, text, size - 1);
	if (size)
		text[got < 0 ? 0 : got] = 0;
	return got;
}

/* A request whose answer is text, which may come with its own zero byte or without. */
static long ask_text(struct xs *xs, uint32_t type, const struct part *parts, unsigned int count,
		     char *text, size_t size)
{
	long got = ask(xs, type, 0, parts, count, text, size);

	return got > 0 && !text[got - 1] ? got - 1 : got;
}

long xs_read(struct xs *xs, xs_transaction t, const char *path, char *value, size_t size)
{
	struct part part = string(path);

	return ask(xs, XS_READ, t, &part, 1, value, size);
}

long xs_read_number(struct xs *xs, xs_transaction t, const char *path, uint64_t *number)
{
	char value[24];
	long length = xs_read(xs, t, path, value, sizeof(value));
	bool good;

	if (length < 0)
		return length == -XEN_ERANGE ? -XEN_EINVAL : length;
	if (length > 2 && value[0] == '0' && value[1] == 'x')
		good = parse_number(value + 2, (size_t)length - 2, 16, number);
	else
		good = parse_number(value, (size_t)length, 10, number);
	return good ? 0 : -XEN_EINVAL;
}

bool xs_exists(struct xs *xs, xs_transaction t, const char *path)
{
	struct part part = string(path);

	return request(xs, XS_READ, t, &part, 1, NULL, 0) >= 0;
}

long xs_write(struct xs *xs, xs_transaction t, const char *path, const void *value, size_t length)
{
	struct part parts[] = {string(path), {value, length}};

	return order(xs, XS_WRITE, t, parts, 2);
}

long xs_vprintf(struct xs *xs, xs_transaction t, const char *path, const char *format,
		va_list arguments)
{
	char value[1024];
	int length = format_string_v(value, sizeof(value), format, arguments);

	if (length < 0 || (size_t)length >= sizeof(value))
		return -XEN_EINVAL;
	return xs_write(xs, t, path, value, (size_t)length);
}

long xs_printf(struct xs *xs, xs_transaction t, const char *path, const char *format, ...)
{
	va_list arguments;
	long error;

	va_start(arguments, format);
	error = xs_vprintf(xs, t, path, format, arguments);
	va_end(arguments);
	return error;
}

long xs_mkdir(struct xs *xs, xs_transaction t, const char *path)
{
	struct part part = string(path);

	return order(xs, XS_MKDIR, t, &part, 1);
}

long xs_remove(struct xs *xs, xs_transaction t, const char *path)
{
	struct part part = string(path);

	return order(xs, XS_RM, t, &part, 1);
}

/* One message's worth of names from the given offset. */
static long directory_part(struct xs *xs, xs_transaction t, const char *path, char *names,
			   size_t size, struct xs_request *r, size_t offset)
{
	char number[24];
	struct part parts[] = {string(path), {number, 0}};

	parts[1].size = (size_t)format_string(number, sizeof(number), "%zu", offset) + 1;
	*r = (struct xs_request){
	    .type = XS_DIRECTORY_PART, .result = names, .size = size, .in_parts = true};
	return transact(xs, r, t, parts, 2);
}

/* The list is complete when a part ends in an empty name. */
static long directory_in_parts(struct xs *xs, xs_transaction t, const char *path, char *names,
			       size_t size)
{
	char generation[sizeof(((struct xs_request *)0)->generation)];
	struct xs_request r;
	size_t used = 0;

	for (;;) {
		long got = directory_part(xs, t, path, names + used, size - used, &r, used);

		if (got < 0)
			return got;
		if (used && strcmp(generation, r.generation) != 0) {
			used = 0;
			continue;
		}
		memcpy(generation, r.generation, sizeof(generation));
		/* Names do not end between messages; one that says nothing, or half a name, is no answer. */
		if (got == 0 || names[used + (size_t)got - 1])
			return -XEN_EIO;
		used += (size_t)got;
		if (used == 1 || !names[used - 2])
			return (long)used - 1;
	}
}

long xs_directory(struct xs *xs, xs_transaction t, const char *path, char *names, size_t size)
{
	struct part part = string(path);
	long got = request(xs, XS_DIRECTORY, t, &part, 1, names, size);

	return got == -XEN_E2BIG ? directory_in_parts(xs, t, path, names, size) : got;
}

const char *xs_next_name(const char *names, long bytes, const char *name)
{
	size_t at = 0, size = bytes > 0 ? (size_t)bytes : 0;

	if (name)
		at = (size_t)(name - names) + strlen(name) + 1;
	/* What does not end within the list is not a name. */
	if (at >= size || bounded_length(names + at, size - at) == size - at)
		return NULL;
	return names + at;
}

long xs_get_permissions(struct xs *xs, xs_transaction t, const char *path,
			struct xs_permission *permissions, unsigned int count)
{
	struct part part = string(path);
	char list[1024];
	long bytes = request(xs, XS_GET_PERMS, t, &part, 1, list, sizeof(list));
	const char *entry = NULL;
	uint64_t domain;
	long found = 0;

	if (bytes < 0)
		return bytes;
	while ((entry = xs_next_name(list, bytes, entry)) != NULL) {
		if (!entry[0] || !parse_number(entry + 1, strlen(entry + 1), 10, &domain) ||
		    domain > UINT16_MAX)
			return -XEN_EINVAL;
		if (found < count)
			permissions[found] = (struct xs_permission){(domid_t)domain, entry[0]};
		found++;
	}
	return found;
}

long xs_set_permissions(struct xs *xs, xs_transaction t, const char *path,
			const struct xs_permission *permissions, unsigned int count)
{
	char list[1024];
	struct part parts[] = {string(path), {list, 0}};
	size_t used = 0;

	for (unsigned int i = 0; i < count; i++) {
		used += (size_t)format_string(list + used, sizeof(list) - used, "%c%u",
					      permissions[i].access, permissions[i].domain) +
			1;
		if (used > sizeof(list) - 8)
			return -XEN_EINVAL;
	}
	parts[1].size = used;
	return order(xs, XS_SET_PERMS, t, parts, 2);
}

long xs_transaction_start(struct xs *xs, xs_transaction *t)
{
	struct part part = string("");
	char number[16];
	uint64_t value;
	long got = ask_text(xs, XS_TRANSACTION_START, &part, 1, number, sizeof(number));

	*t = 0;
	if (got < 0)
		return got;
	if (!parse_number(number, sizeof(number), 10, &value) || value > UINT32_MAX || !value)
		return -XEN_EINVAL;
	*t = (xs_transaction)value;
	return 0;
}

long xs_transaction_end(struct xs *xs, xs_transaction t, bool commit)
{
	struct part part = string(commit ? "T" : "F");

	return order(xs, XS_TRANSACTION_END, t, &part, 1);
}

/*
 * Watches
 */

static long order_watch(struct xs *xs, uint32_t type, const struct xs_watch *watch)
{
	char token[12];
	struct part parts[] = {string(watch->path), {token, 0}};

	parts[1].size = (size_t)format_string(token, sizeof(token), "%x", watch->id) + 1;
	return order(xs, type, 0, parts, 2);
}

static void add_watch(struct xs *xs, struct xs_watch *watch)
{
	mutex_lock(&xs->lock);
	watch->missed = false;
	do {
		watch->id = ++xs->last_watch;
	} while (watch_by_id(xs, watch->id));
	watch->next = xs->watches;
	xs->watches = watch;
	mutex_unlock(&xs->lock);
}

static void remove_watch(struct xs *xs, struct xs_watch *watch)
{
	struct xs_watch **link = &xs->watches;

	mutex_lock(&xs->lock);
	while (*link && *link != watch)
		link = &(*link)->next;
	if (*link)
		*link = watch->next;
	while (xs->firing == watch && xs->dispatcher != thread_self())
		condition_wait(&xs->wait, &xs->lock, 0);
	mutex_unlock(&xs->lock);
}

long xs_watch(struct xs *xs, struct xs_watch *watch)
{
	long error;

	/* First, because the daemon's first event may come with its answer. */
	add_watch(xs, watch);
	error = order_watch(xs, XS_WATCH, watch);
	if (error)
		remove_watch(xs, watch);
	return error;
}

long xs_unwatch(struct xs *xs, struct xs_watch *watch)
{
	long error = order_watch(xs, XS_UNWATCH, watch);

	remove_watch(xs, watch);
	return error;
}

long xs_reset_watches(struct xs *xs)
{
	struct part part = string("");

	return order(xs, XS_RESET_WATCHES, 0, &part, 1);
}

/* Take the next change, with its path into *path. NULL: there is none. */
static struct xs_watch *next_event(struct xs *xs, const char **path)
{
	struct xs_watch *watch = NULL;

	while (xs->events_used && !watch) {
		size_t end = event_end(xs, 0);
		uint32_t id;

		memcpy(&id, xs->events, sizeof(id));
		memcpy(xs->event_path, xs->events + sizeof(id), end - sizeof(id));
		xs->events_used -= end;
		memmove(xs->events, xs->events + end, xs->events_used);
		watch = watch_by_id(xs, id);
		*path = xs->event_path;
	}
	if (watch)
		return watch;
	for (watch = xs->watches; watch && !watch->missed; watch = watch->next)
		;
	if (watch) {
		watch->missed = false;
		*path = watch->path;
	}
	return watch;
}

bool xs_dispatch(struct xs *xs, uint64_t deadline)
{
	struct xs_watch *watch;
	const char *path;
	bool in_time = true;

	mutex_lock(&xs->lock);
	while ((watch = next_event(xs, &path)) == NULL && !xs->error && in_time)
		in_time = receive_or_wait(xs, deadline);
	xs->firing = watch;
	xs->dispatcher = thread_self();
	mutex_unlock(&xs->lock);
	if (!watch)
		return false;
	watch->fired(watch, path);
	/* It may be gone now. */
	mutex_lock(&xs->lock);
	xs->firing = NULL;
	wake_all(&xs->wait);
	mutex_unlock(&xs->lock);
	return true;
}

static void dispatch_all(void *argument)
{
	while (xs_dispatch(argument, 0))
		;
}

long xs_dispatch_thread(struct xs *xs, const char *name)
{
	struct thread *thread = thread_create(name, dispatch_all, xs);

	if (!thread)
		return -XEN_ENOMEM;
	thread_detach(thread);
	return 0;
}

/*
 * For tools
 */

/* A request about a domain: its number, then up to two more. */
static long order_numbers(struct xs *xs, uint32_t type, const unsigned long *numbers,
			  unsigned int count, char *result, size_t size)
{
	char text[80];
	struct part part = {text, 0};

	for (unsigned int i = 0; i < count; i++)
		part.size += (size_t)format_string(text + part.size, sizeof(text) - part.size,
						   "%lu", numbers[i]) +
			     1;
	return ask_text(xs, type, &part, 1, result, size);
}

static long order_about(struct xs *xs, uint32_t type, unsigned long first, unsigned long second,
			unsigned long third, unsigned int count)
{
	unsigned long numbers[] = {first, second, third};
	char ok[16];
	long got = order_numbers(xs, type, numbers, count, ok, sizeof(ok));

	return got < 0 ? got : 0;
}

long xs_domain_path(struct xs *xs, domid_t domain, char *path, size_t size)
{
	unsigned long number = domain;

	return order_numbers(xs, XS_GET_DOMAIN_PATH, &number, 1, path, size);
}

long xs_introduce(struct xs *xs, domid_t domain, unsigned long mfn, uint32_t port)
{
	return order_about(xs, XS_INTRODUCE, domain, mfn, port, 3);
}

long xs_release(struct xs *xs, domid_t domain)
{
	return order_about(xs, XS_RELEASE, domain, 0, 0, 1);
}

long xs_is_introduced(struct xs *xs, domid_t domain)
{
	unsigned long number = domain;
	char reply[16];
	long got = order_numbers(xs, XS_IS_DOMAIN_INTRODUCED, &number, 1, reply, sizeof(reply));

	return got < 0 ? got : reply[0] == 'T';
}

long xs_resume(struct xs *xs, domid_t domain)
{
	return order_about(xs, XS_RESUME, domain, 0, 0, 1);
}

long xs_set_target(struct xs *xs, domid_t domain, domid_t target)
{
	return order_about(xs, XS_SET_TARGET, domain, target, 0, 2);
}

long xs_control(struct xs *xs, const char *const *words, unsigned int count, char *reply,
		size_t size)
{
	struct part parts[PARTS];

	if (count == 0 || count > PARTS)
		return -XEN_EINVAL;
	for (unsigned int i = 0; i < count; i++)
		parts[i] = string(words[i]);
	return ask_text(xs, XS_CONTROL, parts, count, reply, size);
}

void xs_init(struct xs *xs, struct xs_transport *transport)
{
	memset(xs, 0, sizeof(*xs));
	xs->transport = transport;
	transport->wait = &xs->wait;
}
