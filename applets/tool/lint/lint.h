/* What the files of lint share: texts to look at, and what was found. */
#ifndef LINT_H
#define LINT_H

#include "cni/netlint.h"
#include "describe/applet.h"

struct finding {
	const char *file;
	int64_t line; /* 0 = of no line */
	const char *severity, *path, *text;
	size_t number; /* as they came */
};

/* One network, or one configuration of a network that nodes share (flannel's). */
struct subject {
	const char *file, *kind, *name, *version;
	strings_t words; /* what it would do */
};

/* One document, which may stand inside of another file. */
struct source {
	const char *file, *text;
	size_t size;
	const char *inside; /* "data.net-conf.json" of a manifest; NULL = it is the file */
	unsigned line;      /* of the file, where it begins; 0 = all of it stands in `only` */
	unsigned only;
};

struct lint_session {
	const struct invocation *call;
	struct arena *arena;
	struct netlint how;
	struct networks networks;
	LIST(struct source) sources; /* of each of networks.all */
	LIST(struct subject) subjects;
	LIST(struct finding) findings;
	size_t n_errors;
};

/* Whatever the path names: a file of any kind, a folder, "-" for stdin. */
void lint_read(struct lint_session *session, const char *path);
/* When all is read: each network by itself, and all with each other. */
void lint_networks(struct lint_session *session);
bool lint_is_flannel(const struct json *json);
/* allocates: a store gives out the subnets, not Kubernetes. */
void lint_flannel(struct lint_session *session, const struct source *source,
		  const struct json *json, bool allocates);
/* Findings about one text. */
void lint_take(struct lint_session *session, const struct source *source,
	       const problems_t *problems);
void lint_find(struct lint_session *session, const char *file, bool is_error, const char *text);
void lint_sort(struct lint_session *session); /* by file, as given, and line */
void lint_print(const struct lint_session *session, bool explain);
void lint_print_json(const struct lint_session *session);

#endif
