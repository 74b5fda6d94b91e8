/*
 * Objects of the Kubernetes API into the world: Namespaces, Pods, Nodes, NetworkPolicies and ClusterNetworkPolicies,
 * alone or in Lists. What the API server would refuse is refused, with the path of the field and the reason: a refused
 * object is not in the world.
 */
#ifndef POLICY_OBJECT_H
#define POLICY_OBJECT_H

#include "base/error.h"
#include "policy/object_form.h"
#include "policy/world.h"

/* What is said of an object: `object` is "networkpolicy default/web", and text begins with the path of the field. */
typedef void object_report_fn(void *arg, bool is_error, const char *object, const char *text);

struct object_meta {
	const char *space, *name;
};

struct path; /* describe/path.h */

struct reader {
	struct world *world;
	object_report_fn *report;
	void *arg;
	unsigned n_refused; /* objects */
	bool replace;       /* one of the same name is replaced; else it is refused */
	/* Asked of every object whose name is right: false = it is passed over. NULL = all are wanted. */
	bool (*wanted)(void *arg, const struct object_kind *kind, const struct object_meta *meta,
		       const struct json *json);
	/* inside */
	const char *object;      /* the one that is being read */
	const struct path *base; /* of the part of it that is being decoded */
	bool failed;
};

/* One document, or an item of a list whose other members are given (else NULL). A List is taken apart. Other kinds are
 * passed over, with a warning. The JSON is not needed after. */
void reader_add(struct reader *reader, const struct json *document, const struct json *list);

/* The same for one object whose kind and name are known already. */
void reader_read(struct reader *reader, const struct object_kind *kind,
		 const struct object_meta *meta, const struct json *json);
/* Takes an object out of a world; its indexes are those from before. Not every kind can be, or be replaced. */
bool object_changes_alone(const struct object_kind *kind);
void object_remove(struct world *world, const struct object_kind *kind, const char *space,
		   const char *name);

/* ---- for the files that read one kind ---- */

void reader_complain(struct reader *reader, const struct path *path, const char *format, ...)
	printf_like(3, 4);
void reader_warn(struct reader *reader, const struct path *path, const char *format, ...)
	printf_like(3, 4);
/* An object whose members are strings, such as labels, into labels; keys and values are checked. */
void reader_labels(struct reader *reader, const struct path *path, const struct json *json,
		   labels_t *labels);
/* json_decode() with the reader's report. */
bool reader_decode(struct reader *reader, const struct json *json, const struct field *fields,
		   void *out, struct arena *arena);
/* json_decode_strict() with the reader's reports; below: of a part, whose path comes in front. */
bool reader_decode_strict(struct reader *reader, const struct json *json,
			  const struct field *fields, void *out, struct arena *arena);
bool reader_decode_below(struct reader *reader, const struct path *path, const struct json *json,
			 const struct field *fields, void *out, struct arena *arena);

/* read spec; add the policy unless something is wrong */
void policy_read(struct reader *reader, const struct object_meta *meta, const struct json *json);
void policy_remove(struct world *world, const char *space, const char *name);
void cluster_policy_read(struct reader *reader, const struct object_meta *meta,
			 const struct json *json);
void cluster_policy_remove(struct world *world, const char *space, const char *name);

#endif
