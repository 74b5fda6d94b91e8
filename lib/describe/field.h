/*
 * The field table: say once what a struct looks like. JSON decoding and encoding, command-line options,
 * help, man page, completion words, tables on a terminal and JSON Schema are readers of it.
 *
 * A row describes one member. Defaults are not in the rows: they are a constant instance of the struct,
 * copied before decoding. Keys are written as in JSON (camelCase); options show them in kebab-case
 * (containerId -> --container-id).
 */
#ifndef DESCRIBE_FIELD_H
#define DESCRIBE_FIELD_H

#include "base/arena.h"
#include "base/ip.h"

enum field_type {
	FIELD_END,
	FIELD_STRING, /* const char *; NULL = absent */
	FIELD_PATH,   /* const char *; completes from the file system */
	FIELD_NETNS,  /* const char *; a namespace as people name one; completes from /run/netns */
	FIELD_BOOL,   /* bool; an option without value */
	FIELD_INT,    /* int, within min..max */
	FIELD_UINT32, /* uint32_t, within min..max */
	FIELD_INT64,  /* int64_t, within min..max */
	FIELD_UINT64, /* uint64_t */
	FIELD_PORT,   /* uint16_t */
	FIELD_ENUM,   /* int, index into .names; names compared exactly */
	FIELD_IP,     /* struct ip */
	FIELD_CIDR,   /* struct cidr, host bits kept */
	FIELD_MAC,    /* struct mac */
	FIELD_IFNAME, /* char[16]; the kernel's rule for interface names */
	FIELD_DURATION, /* int64_t milliseconds; "1m30s", "250ms", "2h"; a bare number is seconds */
	FIELD_OBJECT,   /* embedded struct described by .fields */
	FIELD_LIST, /* LIST(...) of .element, each .size bytes (.fields for objects; for a list of lists .fields
			   * is ONE row that describes the inner list, its offset and key ignored) */
	FIELD_JSON, /* struct json *, any value, borrowed from the document */
};

enum field_flags {
	FIELD_REQUIRED = 1 << 0,
	FIELD_POSITIONAL = 1 << 1, /* an argument, in row order; a FIELD_LIST takes all the rest */
	FIELD_KEEP_EMPTY = 1 << 2, /* encode even when zero (objects: {}; lists: []) */
	FIELD_ANY_OBJECT = 1 << 8, /* FIELD_JSON: an object, whose members are not ours to say */
	FIELD_HIDDEN = 1 << 3,     /* not in help, man page, completion */
	FIELD_DEPRECATED = 1 << 4, /* .help says what to use instead */
	FIELD_RAW_REST =
		1 << 5, /* positional list: everything after it is taken, options too (exec) */
	FIELD_LOOSE_BOOL =
		1 << 6, /* also accepts the strings "true" and "false" (libcni's booleans) */
	FIELD_ONE_DASH =
		1
		<< 7, /* option: as Go's programs have it; -name is --name, an empty address or element is none */
	FIELD_ONE_WORD = 1 << 9, /* option, a list: its variable is one element, commas and all */
};

/* What the words of a row name: completion asks the applet that lists such things (applet.h). */
enum noun {
	NOUN_NONE, /* by the row's type */
	NOUN_NEW,  /* nothing that is there already */
	NOUN_NETNS,
	NOUN_INTERFACE,
	NOUN_NETWORK,
	NOUN_CONTAINER,
	NOUN_ATTACHED, /* interface of an attachment */
	NOUN_ADDRESS,  /* of a pod: an address or container that has a lease of it */
	NOUN_SUBNET,   /* of a node */
	NOUN_NODE,
	NOUN_PLUGIN,
	NOUN_APPLET, /* with its words behind it */
	NOUN_POD,    /* of Kubernetes: [NAMESPACE/]NAME */
};

/* Kept small, since a binary has more than a thousand of them. */
struct field {
	const char *key;
	enum field_type type : 8;
	uint16_t offset;
	uint16_t flags;
	uint16_t size;               /* FIELD_LIST: bytes of an element */
	uint16_t seen;               /* 1 + offset of a bool set when the key was given; 0 = none */
	enum field_type element : 8; /* FIELD_LIST */
	char letter;                 /* short option, 0 = none */
	enum noun noun : 8;
	const char *help; /* lower case, no final period */
	const char *
		metavar; /* word for the value in help; "auto|N": auto is to be typed; NULL = by type */
	const char *env; /* option: environment variable that gives the default */
	int64_t min,
		max; /* integers and durations (ms); both 0 = the type's own range, and max below
			   * min = no upper bound but the type's */
	union {
		const char *const *names; /* FIELD_ENUM: NULL-terminated */
		const struct field
			*fields; /* FIELD_OBJECT, or FIELD_LIST of FIELD_OBJECT or FIELD_LIST */
	};
};

#define FIELD_SEEN(type, member) (1 + offsetof(type, member))
#define FIELDS_END                \
	{                         \
		.type = FIELD_END \
	}

/* One row's type as text, for errors: "an integer". */
const char *field_type_text(const struct field *field);
/* The row of one element of a list, its offset 0. */
struct field field_element(const struct field *list);
/* The row of a key, an exact match first, then any case; NULL = none. */
const struct field *field_find(const struct field *fields, const char *key);
/* A range worth telling: the row's own bounds, or a port's; as text. False: the type's own range. */
bool field_range(const struct field *field, char min[24], char max[24]);
bool field_is_number(enum field_type type); /* the integers and the port */
bool field_valid_ifname(const char *name);
/* Parse one word into the member at its offset in out. 0 or -EINVAL with what would be right. Lists append. */
struct error;
int field_parse(const struct field *field, const char *word, void *out, struct arena *arena,
		struct error *err) must_check;
/* The member as text (lists joined by ", "), "" when absent; in the arena. */
char *field_text(const struct field *field, const void *in, struct arena *arena);
/* True when the member holds its type's zero (an empty string too) and its .seen, if any, is false, so that encoding
 * leaves it out. */
bool field_empty(const struct field *field, const void *in);

#endif
