/*
 * Objects of the Kubernetes API into the world: Namespaces, Pods, Nodes and NetworkPolicies, alone or in Lists. What the
 * API server would refuse is refused, with the path of the field and the reason: a refused object is not in the world.
 */
#ifndef POLICY_OBJECT_H
#define POLICY_OBJECT_H

#include "base/error.h"
#include "describe/json.h"
#include "policy/world.h"

/* What is said of an object: `object` is "networkpolicy default/web", and text begins with the path of the field. */
typedef void object_report_fn(void *arg, bool is_error, const char *object, const char *text);

struct reader {
	struct world *world;
	object_report_fn *report;
	void *arg;
	unsigned n_refused; /* objects */
	/* inside */
	const char *object; /* the one that is being read */
	bool failed;
};

/* One document, or an item of a list whose other members are given (else NULL). A List is taken apart. Other kinds are
 * passed over, with a warning. The JSON is not needed after. */
void reader_add(struct reader *reader, const struct json *document, const struct json *list);

/* ---- for the files that read one kind ---- */

struct path; /* describe/path.h */
void reader_complain(struct reader *reader, const struct path *path, const char *format, ...)
	printf_like(3, 4);
/* An object whose members are strings, such as labels, into labels; keys and values are checked. */
void reader_labels(struct reader *reader, const struct path *path, const struct json *json,
		   labels_t *labels);
/* json_decode_strict() with the reader's reports. */
bool reader_decode_strict(struct reader *reader, const struct json *json,
			  const struct field *fields, void *out, struct arena *arena);

struct object_meta {
	const char *space, *name;
};
/* reads spec; adds the policy unless something is wrong */
void policy_read(struct reader *reader, const struct object_meta *meta, const struct json *json);

#endif
