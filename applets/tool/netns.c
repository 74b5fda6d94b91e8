/*
 * netns: which network namespaces there are and who holds them; make, remove, enter and identify
 * one. What a person calls a namespace may be a name, a path, a process or a container:
 * lib/kernel/netns.c finds it, this file shows it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "describe/applet.h"
#include "describe/table.h"
#include "kernel/addr.h"
#include "kernel/link.h"
#include "kernel/netns.h"

#define SHOWN    3  /* entries of a long list that a table cell shows */
#define SHORT_ID 12 /* digits of a container id that people use */

enum { STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 }; /* as shells have them */

struct interface {
	const char *name, *kind;
	int index, mtu;
	bool up;
	struct mac mac;
	LIST(struct cidr) addresses;
};

/* One namespace, for --json. */
struct record {
	const char *name, *path, *command, *container;
	uint64_t inode;
	bool has_id, current, unseen;
	int id;
	LIST(int) pids;
	LIST(struct interface) interfaces;
};

/* The same for people: what is the same in every row, or nobody reads, left out. */
struct line {
	const char *name, *id, *holder, *pids, *interfaces, *addresses;
	uint64_t inode;
};

/* ---- options ---- */

struct show_options {
	const char *target; /* of identify */
	bool json;
};

struct names_options {
	words_t names;
};

struct exec_options {
	const char *target;
	words_t command;
};

/* clang-format off */
#define INTERFACE(member) .offset = offsetof(struct interface, member)
static const struct field interface_fields[] = {
	{ .key = "name", .type = FIELD_STRING, INTERFACE(name), .help = "name of the interface" },
	{ .key = "index", .type = FIELD_INT, INTERFACE(index), .help = "index in its namespace" },
	{ .key = "kind", .type = FIELD_STRING, INTERFACE(kind), .help = "veth ...; absent: a device" },
	{ .key = "up", .type = FIELD_BOOL, INTERFACE(up), .flags = FIELD_KEEP_EMPTY, .help = "is on" },
	{ .key = "mtu", .type = FIELD_INT, INTERFACE(mtu), .help = "largest packet, in bytes" },
	{ .key = "mac", .type = FIELD_MAC, INTERFACE(mac), .help = "hardware address" },
	{ .key = "addresses", .type = FIELD_LIST, INTERFACE(addresses), .flags = FIELD_KEEP_EMPTY,
	  .element = FIELD_CIDR, .size = sizeof(struct cidr), .help = "addresses with prefix length" },
	FIELDS_END,
};

#define RECORD(member) .offset = offsetof(struct record, member)
static const struct field record_fields[] = {
	{ .key = "name", .type = FIELD_STRING, RECORD(name), .help = "name under /run/netns" },
	{ .key = "path", .type = FIELD_PATH, RECORD(path), .help = "file that opens it" },
	{ .key = "inode", .type = FIELD_UINT64, RECORD(inode), .help = "tells it from others" },
	{ .key = "id", .type = FIELD_INT, RECORD(id), .seen = FIELD_SEEN(struct record, has_id),
	  .help = "id that the current namespace gave it" },
	{ .key = "current", .type = FIELD_BOOL, RECORD(current), .flags = FIELD_KEEP_EMPTY,
	  .help = "we are in it" },
	{ .key = "pids", .type = FIELD_LIST, RECORD(pids), .flags = FIELD_KEEP_EMPTY, .element = FIELD_INT,
	  .size = sizeof(int), .help = "processes in it" },
	{ .key = "command", .type = FIELD_STRING, RECORD(command), .help = "name of the first of them" },
	{ .key = "container", .type = FIELD_STRING, RECORD(container), .help = "id of its container" },
	{ .key = "interfaces", .type = FIELD_LIST, RECORD(interfaces), .flags = FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .fields = interface_fields, .size = sizeof(struct interface),
	  .help = "its interfaces" },
	{ .key = "unseen", .type = FIELD_BOOL, RECORD(unseen), .help = "it could not be looked into" },
	FIELDS_END,
};

#define LINE(member) .offset = offsetof(struct line, member)
static const struct field line_fields[] = {
	{ .key = "name", .type = FIELD_STRING, LINE(name) },
	{ .key = "id", .type = FIELD_STRING, LINE(id) },
	{ .key = "inode", .type = FIELD_UINT64, LINE(inode) },
	{ .key = "heldBy", .type = FIELD_STRING, LINE(holder) },
	{ .key = "pids", .type = FIELD_STRING, LINE(pids) },
	{ .key = "interfaces", .type = FIELD_STRING, LINE(interfaces) },
	{ .key = "addresses", .type = FIELD_STRING, LINE(addresses) },
	FIELDS_END,
};

#define SHOW(member) .offset = offsetof(struct show_options, member)
#define NAMES        .offset = offsetof(struct names_options, names), .size = sizeof(char *)
#define EXEC(member) .offset = offsetof(struct exec_options, member)
#define TARGET_HELP  "name, path, process id or container id"
#define REQUIRED     .flags = FIELD_POSITIONAL | FIELD_REQUIRED
#define JSON_ROW     { .key = "json", .type = FIELD_BOOL, SHOW(json), .letter = 'j', \
		       .help = "JSON instead of text" }
static const struct field list_fields[] = { JSON_ROW, FIELDS_END };
static const struct field add_fields[] = {
	{ .key = "name", .type = FIELD_LIST, NAMES, REQUIRED, .element = FIELD_STRING, .noun = NOUN_NEW,
	  .help = "a new name" },
	FIELDS_END,
};
static const struct field del_fields[] = {
	{ .key = "name", .type = FIELD_LIST, NAMES, REQUIRED, .element = FIELD_NETNS, .help = "name to remove" },
	FIELDS_END,
};
static const struct field exec_fields[] = {
	{ .key = "target", .type = FIELD_NETNS, EXEC(target), REQUIRED, .help = TARGET_HELP },
	{ .key = "command", .type = FIELD_LIST, EXEC(command), REQUIRED | FIELD_RAW_REST,
	  .element = FIELD_STRING, .size = sizeof(char *), .help = "program to run there, with its arguments" },
	FIELDS_END,
};
static const struct field identify_fields[] = {
	{ .key = "target", .type = FIELD_NETNS, SHOW(target), .flags = FIELD_POSITIONAL,
	  .help = TARGET_HELP "; without: where we are" },
	JSON_ROW,
	FIELDS_END,
};
/* clang-format on */

/* ---- finding out ---- */

static void add_addresses(struct record *record, const addrs_t *addrs, struct arena *arena)
{
	list_each(addr, addrs)
		list_each(interface, &record->interfaces)
			if (interface->index == addr->index)
				*list_add(arena, &interface->addresses) = addr->cidr;
}

/* Fails for a namespace that is gone by now, or that is another user's. */
static int read_interfaces(struct record *record, struct arena *arena, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;
	auto_close int fd = -1;
	links_t links = { 0 };
	addrs_t addrs = { 0 };
	int r = netns_open(record->path, &fd, err);

	if (r >= 0)
		r = netlink_open(&nl, NETLINK_SESSION_ROUTE, fd, err);
	if (r >= 0)
		r = link_list(nl, NULL, 0, arena, &links, err);
	if (r >= 0)
		r = addr_list(nl, 0, 0, arena, &addrs, err);
	if (r < 0)
		return r;
	list_each(link, &links) {
		*list_add(arena, &record->interfaces) =
			(struct interface){ .name = arena_strdup(arena, link->name),
					    .kind = arena_strdup(arena, link->kind),
					    .index = link->index,
					    .mtu = link->mtu,
					    .mac = link->mac,
					    .up = link->flags & LINK_UP };
	}
	add_addresses(record, &addrs, arena);
	return 0;
}

static struct record make_record(const struct netns_info *info, struct arena *arena)
{
	struct record record = {
		.name = info->name,
		.path = info->path,
		.command = info->command,
		.container = info->container,
		.inode = info->inode,
		.has_id = info->id >= 0,
		.id = info->id >= 0 ? info->id : 0,
		.current = info->current,
		.pids = { info->pids.items, info->pids.n },
	};
	struct error err = { 0 };

	record.unseen = read_interfaces(&record, arena, &err) < 0;
	if (record.unseen)
		log_debug("%s: %s", info->path, err.message);
	return record;
}

/* ---- showing ---- */

/* "a, b, c +5": the first few words, and how many more there are. */
static const char *clipped(const words_t *words, struct arena *arena)
{
	const char *text = "";

	for (size_t i = 0; i < words->n && i < SHOWN; i++)
		text = i ? arena_printf(arena, "%s, %s", text, words->items[i]) : words->items[i];
	return words->n > SHOWN ? arena_printf(arena, "%s +%zu", text, words->n - SHOWN) : text;
}

static const char *pids_text(const struct record *record, struct arena *arena)
{
	words_t words = { 0 };

	list_each(pid, &record->pids)
		*list_add(arena, &words) = arena_printf(arena, "%d", *pid);
	return clipped(&words, arena);
}

/* Every namespace has lo: naming it says nothing. */
static const char *interfaces_text(const struct record *record, struct arena *arena)
{
	words_t words = { 0 };

	list_each(interface, &record->interfaces)
		if (!streq(interface->name, "lo"))
			*list_add(arena, &words) = interface->name;
	return clipped(&words, arena);
}

static const char *addresses_text(const struct record *record, struct arena *arena)
{
	words_t words = { 0 };
	char text[CIDR_TEXT_SIZE];

	list_each(interface, &record->interfaces)
		list_each(cidr, &interface->addresses)
			if (ip_is_global_unicast(&cidr->ip))
				*list_add(arena, &words) =
					arena_strdup(arena, cidr_format(cidr, text));
	return clipped(&words, arena);
}

/* The container that we are in ourselves, if any: it says nothing about a namespace. */
static const char *own_container(const netns_list_t *infos)
{
	list_each(info, infos)
		if (info->current && info->container)
			return info->container;
	return "";
}

/* The first process, and the container it is in; NULL when only a name or a mount holds the
 * namespace. */
static const char *holder_text(const struct record *record, const char *own, struct arena *arena)
{
	if (!record->container || streq(record->container, own))
		return record->command;
	return arena_printf(arena, "%s (%.*s)", record->command, SHORT_ID, record->container);
}

static struct line make_line(const struct record *record, const char *own, struct arena *arena)
{
	const char *name = record->name;

	if (record->current)
		name = name ? arena_printf(arena, "%s (here)", name) : "(here)";
	return (struct line){
		.name = name,
		.inode = record->inode,
		.holder = holder_text(record, own, arena),
		.id = record->has_id ? arena_printf(arena, "%d", record->id) : NULL,
		.pids = pids_text(record, arena),
		.interfaces = record->unseen ? "?" : interfaces_text(record, arena),
		.addresses = record->unseen ? "?" : addresses_text(record, arena),
	};
}

/* ---- list ---- */

static int netns_list_run(struct invocation *call, void *options_, struct error *err)
{
	const struct show_options *options = options_;
	LIST(struct record) records = { 0 };
	LIST(struct line) lines = { 0 };
	netns_list_t infos = { 0 };
	int r = netns_list(call->arena, &infos, err);

	if (r < 0)
		return r;
	list_each(info, &infos)
		*list_add(call->arena, &records) = make_record(info, call->arena);
	list_each(record, &records)
		*list_add(call->arena, &lines) =
			make_line(record, own_container(&infos), call->arena);
	if (options->json)
		table_print(call->out, record_fields, records.items, records.n,
			    sizeof(*records.items), true);
	else
		table_print(call->out, line_fields, lines.items, lines.n, sizeof(*lines.items),
			    false);
	return 0;
}

/* ---- what a word means ---- */

/* Open what a name, path, pid or container id means. */
static int open_target(const char *word, struct arena *arena, int *fd, struct error *err)
{
	char *path;
	int r = netns_resolve(word, arena, &path, err);

	if (r >= 0)
		r = netns_open(path, fd, err);
	if (r == -ENOENT)
		return netns_no_such(word, arena, err);
	if (r == -EINVAL)
		return fail(err, EINVAL, "\"%s\" is not a network namespace", word);
	if (r < 0)
		wrap(err, "open namespace \"%s\"", word);
	return r;
}

/* ---- add, del ---- */

static int netns_add_run(struct invocation *call, void *options_, struct error *err)
{
	const struct names_options *options = options_;

	(void)call;
	list_each(name, &options->names) {
		struct error why = { 0 };
		int r = netns_add(*name, &why);

		if (r == -EEXIST)
			return fail(err, EEXIST, "namespace \"%s\" exists already", *name);
		if (r < 0) {
			*err = why;
			return r;
		}
	}
	return 0;
}

/* All of them, whatever happens to one. */
static int netns_del_run(struct invocation *call, void *options_, struct error *err)
{
	const struct names_options *options = options_;

	list_each(name, &options->names) {
		struct error why = { 0 };
		int r = netns_del(*name, &why);

		if (r == -ENOENT)
			r = netns_no_such(*name, call->arena, &why);
		if (r < 0)
			error_join(err, &why);
	}
	return -err->errnum;
}

/* ---- exec ---- */

static int cannot_run(struct error *err, int errnum, const char *program)
{
	if (errnum == ENOENT) {
		fail(err, errnum, "\"%s\": command not found", program);
		return STATUS_NOT_FOUND;
	}
	fail_errno(err, errnum, "run \"%s\"", program);
	return STATUS_NOT_EXECUTABLE;
}

/* Become the command: its status, signals and terminal are then the caller's own. */
static int netns_exec_run(struct invocation *call, void *options_, struct error *err)
{
	struct exec_options *options = options_;
	const char *program = options->command.items[0];
	auto_netns int old = -1;
	auto_close int fd = -1;
	char path[4096];
	int r = open_target(options->target, call->arena, &fd, err);

	if (r < 0)
		return r;
	r = netns_enter(fd, &old, err);
	if (r == -EINVAL) /* a namespace of another kind */
		return fail(err, EINVAL, "\"%s\" is not a network namespace", options->target);
	if (r < 0)
		return r;
	if (!process_find(program, path, sizeof(path))) {
		if (!strchr(program, '/'))
			return cannot_run(err, ENOENT, program);
		snprintf(path, sizeof(path), "%s", program);
	}
	*list_add(call->arena, &options->command) = NULL;
	execv(path, (char *const *)options->command.items);
	return cannot_run(err, errno, program);
}

/* ---- identify ---- */

/* The namespace's name, or what else to call it by. */
static const char *identity_text(const struct record *record, const char *own, struct arena *arena)
{
	char *text = arena_strdup(arena, record->name ? record->name : record->path);

	if (!record->name && record->container && !streq(record->container, own))
		text = arena_printf(arena, "container %s", record->container);
	else if (!record->name && record->pids.n)
		text = arena_printf(arena, "pid %d (%s)", record->pids.items[0], record->command);
	text_mask(text);
	return text;
}

static int netns_identify_run(struct invocation *call, void *options_, struct error *err)
{
	const struct show_options *options = options_;
	const char *target = options->target ? options->target : "/proc/thread-self/ns/net";
	struct record record = { .path = target };
	netns_list_t infos = { 0 };
	auto_close int fd = -1;
	dev_t dev;
	ino_t ino;
	int r = open_target(target, call->arena, &fd, err);

	if (r >= 0)
		r = netns_identity(fd, &dev, &ino, err);
	if (r >= 0)
		r = netns_list(call->arena, &infos, err);
	if (r < 0)
		return r;
	record.inode = ino;
	list_each(info, &infos)
		if (info->inode == ino)
			record = make_record(info, call->arena);
	if (options->json)
		table_print(call->out, record_fields, &record, 1, sizeof(record), true);
	else
		fprintf(call->out, "%s\n",
			identity_text(&record, own_container(&infos), call->arena));
	return 0;
}

/* ---- descriptor ---- */

/* clang-format off */
static const struct verb verbs[] = {
	{ .name = "list", .summary = "all namespaces, named or not, and who holds them",
	  .fields = list_fields, .size = sizeof(struct show_options), .run = netns_list_run },
	{ .name = "add", .summary = "make named namespaces", .needs = NEEDS_SYS_ADMIN,
	  .fields = add_fields, .size = sizeof(struct names_options), .run = netns_add_run },
	{ .name = "del", .summary = "remove names; what runs there goes on", .needs = NEEDS_SYS_ADMIN,
	  .fields = del_fields, .size = sizeof(struct names_options), .run = netns_del_run },
	{ .name = "exec", .summary = "run a command in a namespace", .needs = NEEDS_SYS_ADMIN,
	  .fields = exec_fields, .size = sizeof(struct exec_options), .run = netns_exec_run },
	{ .name = "identify", .summary = "the name or the holder of a namespace",
	  .fields = identify_fields, .size = sizeof(struct show_options), .run = netns_identify_run },
	{ 0 },
};
static const struct lister lists[] = {
	{ NOUN_NETNS,     "list",     "name" },
	{ NOUN_NETNS,     "list",     "container" },
	{ NOUN_INTERFACE, "identify", "interfaces.name" },
	{ 0 },
};
/* clang-format on */

const struct applet applet_netns = {
	.summary = "list, make, enter and identify network namespaces",
	.about =
		"Finds the namespaces with a name (under /run/netns, shared with ip-netns(8)) and those that\n"
		"only a process holds, such as a container's.\n\n"
		"A TARGET is a name, a path, the id of a process, or the id of a container (12 digits or more).\n"
		"exec enters the network namespace alone: files, /sys among them, stay those of the caller. It\n"
		"exits with the command's status; 127: not found, 126: not executable.",
	.example = "cnibox netns add blue\n"
		   "cnibox netns exec blue -- ip addr\n"
		   "cnibox netns identify 1234\n"
		   "cnibox netns list --json | jq '.[] | select(.container)'",
	.verbs = verbs,
	.lists = lists,
};
