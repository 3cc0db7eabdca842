/* SPDX-License-Identifier: MIT */
/*
 * xenstore-*: the store at the shell, with the options and the output of the commands that people know by these
 * names (xen-doc, xenstore-ls.1 and so on).
 */
#include "store/commands.h"
#include "store/store.h"
#include "shell.h"
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <guest/clock.h>
#include <guest/console.h>

#define PERMISSIONS 64
#define CTRL_C	    3

/* The connection of all commands: the shell runs one at a time. */
static struct xs *connection(void)
{
	static struct xs *xs;

	if (!xs)
		xs = store_connect();
	if (!xs)
		printf("out of memory\n");
	return xs;
}

/* What a command was given. */
struct options {
	bool flat, prefix, raw, tidy, upto, recurse;
	unsigned long number;
	int first; /* the first argument that is no option */
};

static bool set_option(struct options *options, char letter)
{
	switch (letter) {
	case 'f':
		options->flat = true;
		return true;
	case 'p':
		options->prefix = true;
		return true;
	case 'r':
		options->recurse = true;
		return true;
	case 'R':
		options->raw = true;
		return true;
	case 's': /* by a socket: there is one way only */
		return true;
	case 't':
		options->tidy = true;
		return true;
	case 'u':
		options->upto = true;
		return true;
	default:
		return false;
	}
}

static int usage(const char *name)
{
	const struct command *command = command_find(name);

	printf("usage: %s %s\n", name, command ? command->arguments : "");
	return 1;
}

/* Options: letters of `allowed`; with n, a number follows. At least so many arguments must be left. */
static bool parse_options(int argc, char **argv, const char *allowed, int least,
			  struct options *options)
{
	int i = 1;

	memset(options, 0, sizeof(*options));
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		for (const char *letter = argv[i] + 1; *letter; letter++) {
			char *end;

			if (!strchr(allowed, *letter))
				return false;
			if (*letter != 'n') {
				set_option(options, *letter);
				continue;
			}
			if (letter[1] || i + 1 == argc)
				return false;
			options->number = strtoul(argv[++i], &end, 10);
			if (end == argv[i] || *end || !options->number)
				return false;
			break;
		}
	}
	options->first = i;
	return argc - i >= least;
}

static int failed(const char *command, const char *what, const char *path, long error)
{
	if (error == -EACCES)
		printf("%s: could not %s %s: permission denied\n", command, what, path);
	else
		printf("%s: could not %s %s: %s\n", command, what, path, strerror((int)-error));
	return 1;
}

/* Values */

/* Printable, or with -R as they are. */
static void show_value(const char *value, long length, bool raw)
{
	if (raw) {
		fwrite(value, 1, (size_t)length, stdout);
		return;
	}
	for (long i = 0; i < length; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '\\')
			printf("\\\\");
		else if (c == '\n')
			printf("\\n");
		else if (c == '\t')
			printf("\\t");
		else if (c == '\r')
			printf("\\r");
		else if (c >= ' ' && c < 0x7f)
			putchar(c);
		else
			printf("\\x%02x", c);
	}
}

static int digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* What show_value makes, back again, in place. Returns the length. */
static size_t parse_value(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (from[0] != '\\' || !from[1]) {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from == 'n')
			*to++ = '\n';
		else if (*from == 't')
			*to++ = '\t';
		else if (*from == 'r')
			*to++ = '\r';
		else if (*from == 'x' && isxdigit((unsigned char)from[1]) &&
			 isxdigit((unsigned char)from[2])) {
			*to++ = (char)(digit(from[1]) << 4 | digit(from[2]));
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	return (size_t)(to - text);
}

static void show_permissions(struct xs *xs, const char *path)
{
	struct xs_permission list[PERMISSIONS];
	long count = xs_get_permissions(xs, 0, path, list, PERMISSIONS);

	if (count < 0)
		return;
	printf("  (");
	for (long i = 0; i < count && i < PERMISSIONS; i++)
		printf("%s%c%u", i ? "," : "", list[i].access, list[i].domain);
	printf(")");
}

/* Trees */

/* All names below a node, to be freed; NULL with the error in *bytes. */
static char *read_names(struct xs *xs, xs_transaction t, const char *path, long *bytes)
{
	size_t size = XENSTORE_PAYLOAD_MAX;
	char *names = NULL, *more;

	do {
		more = realloc(names, size);
		if (!more) {
			*bytes = -ENOMEM;
			break;
		}
		names = more;
		*bytes = xs_directory(xs, t, path, names, size);
		size *= 2;
	} while (*bytes == -ERANGE);
	if (*bytes < 0) {
		free(names);
		return NULL;
	}
	/* Many may be held at a time. */
	more = realloc(names, (size_t)*bytes + 1);
	return more ? more : names;
}

struct visit {
	struct xs *xs;
	xs_transaction t;
	/* depth: of the path below the first; 0 for that itself. */
	long (*node)(struct visit *visit, const char *path, unsigned int depth);
	const struct options *options;
	const struct xs_permission *list; /* of chmod */
	unsigned int count;
};

#define PATH_SIZE (XENSTORE_ABS_PATH_MAX + 1)

/* The names of one level, and how far we are. */
struct level {
	char *names;
	long bytes;
	const char *name; /* the one that is being visited */
	size_t length;	  /* of the path above them */
};

/* The next name of the level at the end of the path. False: there is none, or it does not fit. */
static bool next_path(struct level *level, char *path)
{
	size_t room = PATH_SIZE - level->length;

	level->name = xs_next_name(level->names, level->bytes, level->name);
	if (!level->name)
		return false;
	return (size_t)snprintf(path + level->length, room, "%s%s", level->length > 1 ? "/" : "",
				level->name) < room;
}

/* Visit all below path, which has room for PATH_SIZE. How deep that goes is up to guests, so it is no recursion. */
static long visit_below(struct visit *visit, char *path)
{
	struct level *levels = NULL, *more;
	unsigned int depth = 0;
	long error = 0;

	for (;;) {
		struct level *level;

		/* Down. One that has gone meanwhile is passed over. */
		more = error ? NULL : realloc(levels, (depth + 1) * sizeof(*levels));
		if (!more) {
			error = error ? error : -ENOMEM;
			break;
		}
		levels = more;
		level = &levels[depth];
		*level = (struct level){.length = strlen(path)};
		level->names = read_names(visit->xs, visit->t, path, &level->bytes);
		if (level->names)
			depth++;
		else if (level->bytes != -ENOENT)
			error = level->bytes;
		/* To the next that is there. */
		while (depth && !error) {
			level = &levels[depth - 1];
			if (!next_path(level, path)) {
				free(level->names);
				depth--;
				continue;
			}
			error = visit->node(visit, path, depth);
			if (error != -ENOENT)
				break;
			error = 0;
		}
		if (!depth)
			break;
	}
	while (depth)
		free(levels[--depth].names);
	free(levels);
	return error;
}

/* Visit from `argument` on; that one must be there. */
static long visit_all(struct visit *visit, const char *argument)
{
	char *path = malloc(PATH_SIZE);
	long error;

	if (!path)
		return -ENOMEM;
	if (snprintf(path, PATH_SIZE, "%s", argument) >= PATH_SIZE) {
		free(path);
		return -EINVAL;
	}
	error = visit->node(visit, path, 0);
	if (!error)
		error = visit_below(visit, path);
	free(path);
	return error;
}

/* ls */

static long show_node(struct visit *visit, const char *path, unsigned int depth)
{
	static char value[XENSTORE_PAYLOAD_MAX + 1];
	const char *name = strrchr(path, '/');
	long length;

	/* Where it starts from is not shown: the user has named it. */
	if (!depth)
		return xs_exists(visit->xs, 0, path) ? 0 : -ENOENT;
	length = xs_read(visit->xs, 0, path, value, sizeof(value));
	if (length < 0)
		return length;
	if (visit->options->flat)
		printf("%s = \"", path);
	else
		printf("%*s%s = \"", (int)depth - 1, "", name ? name + 1 : path);
	show_value(value, length, false);
	printf("\"");
	if (visit->options->prefix)
		show_permissions(visit->xs, path);
	printf("\n");
	return 0;
}

int run_xenstore_ls(int argc, char **argv)
{
	struct options options;
	struct visit visit = {.xs = connection(), .node = show_node, .options = &options};
	int status = 0;

	if (!parse_options(argc, argv, "fps", 0, &options))
		return usage(argv[0]);
	if (!visit.xs)
		return 1;
	for (int i = options.first; i < argc || i == options.first; i++) {
		const char *path = i < argc ? argv[i] : "/";
		long error = visit_all(&visit, path);

		if (error)
			status = failed(argv[0], "list", path, error);
	}
	return status;
}

/* read, list, exists */

int run_xenstore_read(int argc, char **argv)
{
	static char value[XENSTORE_PAYLOAD_MAX + 1];
	struct xs *xs = connection();
	struct options options;

	if (!parse_options(argc, argv, "psR", 1, &options))
		return usage(argv[0]);
	for (int i = options.first; xs && i < argc; i++) {
		long length = xs_read(xs, 0, argv[i], value, sizeof(value));

		if (length < 0)
			return failed(argv[0], "read", argv[i], length);
		if (options.prefix)
			printf("%s: ", argv[i]);
		show_value(value, length, options.raw);
		printf("\n");
	}
	return !xs;
}

int run_xenstore_list(int argc, char **argv)
{
	struct xs *xs = connection();
	struct options options;

	if (!parse_options(argc, argv, "ps", 1, &options))
		return usage(argv[0]);
	for (int i = options.first; xs && i < argc; i++) {
		long bytes;
		char *names = read_names(xs, 0, argv[i], &bytes);

		if (!names)
			return failed(argv[0], "list", argv[i], bytes);
		for (const char *name = xs_next_name(names, bytes, NULL); name;
		     name = xs_next_name(names, bytes, name))
			printf("%s%s%s\n", options.prefix ? argv[i] : "",
			       options.prefix && strcmp(argv[i], "/") != 0 ? "/" : "", name);
		free(names);
	}
	return !xs;
}

int run_xenstore_exists(int argc, char **argv)
{
	struct xs *xs = connection();
	struct options options;

	if (!parse_options(argc, argv, "ps", 1, &options))
		return usage(argv[0]);
	for (int i = options.first; xs && i < argc; i++) {
		if (xs_exists(xs, 0, argv[i]))
			continue;
		printf("%s: there is no %s\n", argv[0], argv[i]);
		return 1;
	}
	return !xs;
}

/* Changes: all of a command, or nothing. */

/* Do it in a transaction, again when others interfere; what it says of an error is shown once. */
static int change(const char *command,
		  int (*apply)(struct xs *xs, xs_transaction t, char **arguments,
			       const struct options *options),
		  char **arguments, const struct options *options)
{
	struct xs *xs = connection();
	xs_transaction t;
	long error;
	int status;

	if (!xs)
		return 1;
	do {
		error = xs_transaction_start(xs, &t);
		if (error)
			return failed(command, "start", "a transaction", error);
		status = apply(xs, t, arguments, options);
		error = xs_transaction_end(xs, t, status == 0);
	} while (error == -EAGAIN && !status);
	if (error && !status)
		return failed(command, "end", "the transaction", error);
	return status;
}

static int write_pairs(struct xs *xs, xs_transaction t, char **arguments,
		       const struct options *options)
{
	for (; arguments[0]; arguments += 2) {
		char *value = strdup(arguments[1]);
		size_t length;
		long error;

		if (!value)
			return failed("xenstore-write", "write", arguments[0], -ENOMEM);
		length = options->raw ? strlen(value) : parse_value(value);
		error = xs_write(xs, t, arguments[0], value, length);
		free(value);
		if (error)
			return failed("xenstore-write", "write", arguments[0], error);
	}
	return 0;
}

int run_xenstore_write(int argc, char **argv)
{
	struct options options;

	if (!parse_options(argc, argv, "sR", 2, &options) || (argc - options.first) % 2)
		return usage(argv[0]);
	return change(argv[0], write_pairs, argv + options.first, &options);
}

/* With -t what is then empty above goes too: no value, no children. */
static long remove_empty(struct xs *xs, xs_transaction t, const char *path)
{
	static char above[PATH_SIZE];
	char value[2], *end;
	long bytes, error = 0;
	char *names;

	snprintf(above, sizeof(above), "%s", path);
	while (!error && (end = strrchr(above, '/')) != NULL && end != above) {
		*end = 0;
		if (xs_read(xs, t, above, value, sizeof(value)) != 0)
			return 0;
		names = read_names(xs, t, above, &bytes);
		free(names);
		if (bytes)
			return 0;
		error = xs_remove(xs, t, above);
	}
	return error;
}

static int remove_keys(struct xs *xs, xs_transaction t, char **arguments,
		       const struct options *options)
{
	for (; arguments[0]; arguments++) {
		long error = xs_remove(xs, t, arguments[0]);

		if (!error && options->tidy)
			error = remove_empty(xs, t, arguments[0]);
		if (error)
			return failed("xenstore-rm", "remove", arguments[0], error);
	}
	return 0;
}

int run_xenstore_rm(int argc, char **argv)
{
	struct options options;

	if (!parse_options(argc, argv, "st", 1, &options))
		return usage(argv[0]);
	return change(argv[0], remove_keys, argv + options.first, &options);
}

/* chmod */

static bool parse_permission(const char *text, struct xs_permission *permission)
{
	unsigned long domain;
	char *end;

	if (!text[0] || !strchr("nrwb", text[0]) || !isdigit((unsigned char)text[1]))
		return false;
	domain = strtoul(text + 1, &end, 10);
	permission->access = text[0];
	permission->domain = (domid_t)domain;
	return !*end && domain <= UINT16_MAX;
}

static long set_node(struct visit *visit, const char *path, unsigned int depth)
{
	return xs_set_permissions(visit->xs, visit->t, path, visit->list, visit->count);
}

/* arguments: the key, then its permissions. */
static int change_permissions(struct xs *xs, xs_transaction t, char **arguments,
			      const struct options *options)
{
	struct xs_permission list[PERMISSIONS];
	struct visit visit = {.xs = xs, .t = t, .node = set_node, .options = options, .list = list};
	static char above[PATH_SIZE];
	char *end;
	long error;

	for (; arguments[1 + visit.count]; visit.count++) {
		if (visit.count == PERMISSIONS ||
		    !parse_permission(arguments[1 + visit.count], &list[visit.count])) {
			printf(
			    "xenstore-chmod: '%s' is no permission: a letter of nrwb and a domain's number\n",
			    arguments[1 + visit.count]);
			return 1;
		}
	}
	if (options->recurse)
		error = visit_all(&visit, arguments[0]);
	else
		error = set_node(&visit, arguments[0], 0);
	snprintf(above, sizeof(above), "%s", arguments[0]);
	while (!error && options->upto && (end = strrchr(above, '/')) != NULL && end != above) {
		*end = 0;
		error = set_node(&visit, above, 0);
	}
	return error ? failed("xenstore-chmod", "change", arguments[0], error) : 0;
}

int run_xenstore_chmod(int argc, char **argv)
{
	struct options options;

	if (!parse_options(argc, argv, "rsu", 2, &options))
		return usage(argv[0]);
	return change(argv[0], change_permissions, argv + options.first, &options);
}

/* watch */

static unsigned long watch_left; /* how many events are still to be shown; 0: the last was */

static void show_event(struct xs_watch *watch, const char *path)
{
	if (!watch_left)
		return;
	printf("%s\n", path);
	fflush(stdout);
	watch_left--;
}

/*
 * The thread waits for events here, and for Ctrl-C: it looks for keys ten times a second, for as long as somebody
 * watches.
 */
static void show_events(struct xs *xs)
{
	char key;

	while (watch_left) {
		xs_dispatch(xs, clock_now() + 100 * NSEC_PER_MSEC);
		while (console_read(&key, 1))
			if (key == CTRL_C)
				return;
	}
}

int run_xenstore_watch(int argc, char **argv)
{
	struct xs_watch watches[16];
	struct xs *xs = connection();
	struct options options;
	int count = 0, status = 0;

	if (!parse_options(argc, argv, "ns", 1, &options) || argc - options.first > 16)
		return usage(argv[0]);
	if (!xs)
		return 1;
	watch_left = options.number ? options.number : -1ul;
	for (; !status && options.first + count < argc; count++) {
		long error;

		watches[count] =
		    (struct xs_watch){.path = argv[options.first + count], .fired = show_event};
		error = xs_watch(xs, &watches[count]);
		if (error) {
			status = failed(argv[0], "watch", watches[count].path, error);
			break;
		}
	}
	if (!status)
		show_events(xs);
	while (count--)
		xs_unwatch(xs, &watches[count]);
	return status;
}

/* control */

int run_xenstore_control(int argc, char **argv)
{
	static char answer[XENSTORE_PAYLOAD_MAX + 1];
	struct xs *xs = connection();
	long length;

	if (argc < 2)
		return usage(argv[0]);
	if (!xs)
		return 1;
	length = xs_control(xs, (const char *const *)argv + 1, (unsigned int)argc - 1, answer,
			    sizeof(answer));
	if (length < 0)
		return failed(argv[0], "do", argv[1], length);
	printf("%s\n", answer);
	return 0;
}
