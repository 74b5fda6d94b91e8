/* The tables of `cni list` and `cni status`. A network's problems are lines of their own below the
 * table: they are sentences. */
#include "cni/listing.h"

#include "base/text.h"
#include "describe/table.h"

#define NETWORK_ROW(key_, kind, member, ...)                                                   \
	{                                                                                      \
		.key = (key_), .type = (kind), .offset = offsetof(struct network_row, member), \
		##__VA_ARGS__                                                                  \
	}
#define STATUS_MESSAGE_SIZE (sizeof(((struct error *)0)->message) + 64)
#define STRINGS             .element = FIELD_STRING, .size = sizeof(char *)

/* clang-format off */
static const struct field network_row_fields[] = {
	NETWORK_ROW("name",     FIELD_STRING, name, .metavar = "network"),
	NETWORK_ROW("version",  FIELD_STRING, version),
	NETWORK_ROW("plugins",  FIELD_LIST,   plugins, STRINGS),
	NETWORK_ROW("file",     FIELD_STRING, file),
	NETWORK_ROW("problems", FIELD_LIST,   problems, STRINGS,
		    .flags = FIELD_HIDDEN | FIELD_KEEP_EMPTY),
	FIELDS_END
};
/* clang-format on */

#define ATTACHMENT_ROW(key_, kind, member, ...)                                                   \
	{                                                                                         \
		.key = (key_), .type = (kind), .offset = offsetof(struct attachment_row, member), \
		##__VA_ARGS__                                                                     \
	}

/* clang-format off */
static const struct field attachment_row_fields[] = {
	ATTACHMENT_ROW("container", FIELD_STRING, container),
	ATTACHMENT_ROW("ifname",    FIELD_STRING, ifname),
	ATTACHMENT_ROW("network",   FIELD_STRING, network),
	ATTACHMENT_ROW("addresses", FIELD_LIST,   addresses, STRINGS),
	ATTACHMENT_ROW("netns",     FIELD_STRING, netns),
	FIELDS_END
};
/* clang-format on */

static const struct field listing_fields[] = { { .key = "networks",
						 .type = FIELD_LIST,
						 .offset = offsetof(struct listing, networks),
						 .element = FIELD_OBJECT,
						 .size = sizeof(struct network_row),
						 .fields = network_row_fields,
						 .flags = FIELD_KEEP_EMPTY },
					       { .key = "attachments",
						 .type = FIELD_LIST,
						 .offset = offsetof(struct listing, attachments),
						 .element = FIELD_OBJECT,
						 .size = sizeof(struct attachment_row),
						 .fields = attachment_row_fields,
						 .flags = FIELD_KEEP_EMPTY },
					       FIELDS_END };

#define STATUS_ROW(key_, kind, member)                                                       \
	{                                                                                    \
		.key = (key_), .type = (kind), .offset = offsetof(struct status_row, member) \
	}

/* clang-format off */
static const struct field status_row_fields[] = {
	STATUS_ROW("plugin",  FIELD_STRING, plugin),
	STATUS_ROW("status",  FIELD_STRING, status),
	STATUS_ROW("code",    FIELD_INT64,  code),
	STATUS_ROW("message", FIELD_STRING, message),
	FIELDS_END
};
/* clang-format on */

static void list_network(const struct network *network, struct arena *arena,
			 struct listing *listing)
{
	struct network_row *row = list_add(arena, &listing->networks);

	*row = (struct network_row){ .name = network->name,
				     .version = network->version,
				     .file = network->file };
	list_each(problem, &network->problems)
		*list_add(arena, &row->problems) = problem->text;
	list_each(plugin, &network->plugins)
		if (json_string(json_member(*plugin, "type")))
			*list_add(arena, &row->plugins) = json_string(json_member(*plugin, "type"));
	listing->unusable |= network->unusable;
}

static void list_attachment(const struct cached *cached, struct arena *arena,
			    struct listing *listing)
{
	struct attachment_row *row = list_add(arena, &listing->attachments);
	struct cni_result result = { 0 };
	char text[CIDR_TEXT_SIZE];

	*row = (struct attachment_row){
		.container = cached->container,
		.ifname = cached->ifname,
		.network = cached->network,
		.netns = cached->netns,
	};
	if (!cached->result || result_decode(cached->result, NULL, false, arena, &result, NULL) < 0)
		return;
	list_each(ip, &result.ips)
		*list_add(arena, &row->addresses) =
			arena_strdup(arena, cidr_format(&ip->address, text));
}

static void print_json(const struct listing *listing, FILE *out)
{
	auto_json struct json *json = json_encode(listing_fields, listing);
	auto_arena struct arena arena = { 0 };

	fprintf(out, "%s\n", json_text(json, JSON_STYLE_INDENT, &arena));
}

/* It quotes what the file says. */
static void print_problem(FILE *out, const char *file, const char *problem)
{
	auto_arena struct arena arena = { 0 };
	char *line = arena_printf(&arena, "%s: %s", file, problem);

	text_mask(line);
	fprintf(out, "%s\n", line);
}

void listing_make(struct listing *listing, const struct networks *networks,
		  const cached_list_t *remembered, struct arena *arena)
{
	list_each(network, &networks->all)
		list_network(network, arena, listing);
	list_each(cached, remembered)
		list_attachment(cached, arena, listing);
}

void listing_print(const struct listing *listing, FILE *out, bool as_json)
{
	if (as_json) {
		print_json(listing, out);
		return;
	}
	table_print(out, network_row_fields, listing->networks.items, listing->networks.n,
		    sizeof(struct network_row), false);
	list_each(row, &listing->networks)
		list_each(problem, &row->problems)
			print_problem(out, row->file, *problem);
	if (listing->networks.n && listing->attachments.n)
		fputc('\n', out);
	table_print(out, attachment_row_fields, listing->attachments.items, listing->attachments.n,
		    sizeof(struct attachment_row), false);
}

void status_add(status_rows_t *rows, const struct chain_step *step, struct arena *arena)
{
	const struct error *error = step->error;
	struct status_row *row = list_add(arena, rows);

	row->plugin = arena_strdup(arena, step->type);
	row->status = "ready";
	if (!error)
		return;
	row->status = error->code == CNI_LIMITED ? "limited" : "not ready";
	row->code = error->code ? error->code : CNI_INTERNAL;
	row->message =
		error_line(error, arena_alloc(arena, STATUS_MESSAGE_SIZE), STATUS_MESSAGE_SIZE);
}

void status_print(const status_rows_t *rows, FILE *out, bool as_json)
{
	table_print(out, status_row_fields, rows->items, rows->n, sizeof(struct status_row),
		    as_json);
}
