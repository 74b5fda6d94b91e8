/*
 * The applet descriptor: what main.c and the documentation readers need to know of an applet. Each file in
 * applets/<kind>/ exports exactly one, `applet_<name>`, with hyphens as underscores. The name and the kind
 * come from the file's place, so they cannot disagree with it.
 */
#ifndef DESCRIBE_APPLET_H
#define DESCRIBE_APPLET_H

#include "base/error.h"
#include "describe/field.h"

#include <stdio.h>

struct cni_plugin; /* lib/cni/plugin.h */

enum applet_kind { APPLET_CNI, APPLET_NODE, APPLET_TOOL };

enum applet_needs {
	NEEDS_NOTHING = 0,
	NEEDS_NET_ADMIN = 1 << 0, /* CAP_NET_ADMIN in the current user namespace */
	NEEDS_SYS_ADMIN = 1 << 1, /* CAP_SYS_ADMIN: enters namespaces */
};

struct applet_entry;

/* How an applet was called. run() writes its answer to out, nothing else; main.c prints the error. */
struct invocation {
	const char *name;    /* "netns", or "netns list" with a verb */
	const char *version; /* of this binary */
	FILE *out;
	struct arena *arena; /* lives as long as the call */
	bool colour;         /* out is a terminal, and nobody minds */
	bool steps;          /* stderr is one */
	/* Finds a CNI plugin of this binary by name, NULL = none: what delegation in process needs. */
	const struct cni_plugin *(*find_plugin)(const char *name);
	const struct applet_entry *applets; /* all of this binary, sorted by name */
	size_t n_applets;
};

/* On a terminal, what goes on from now, for what may last over a second; NULL: it is over, before anything is said. */
void call_step(const struct invocation *call, const char *what);

/* Exit statuses: 0 done, 1 failed, 2 usage. A verb returns 0, a negative errno (status 1, err is printed),
 * or a positive exit status of its own (exec; err, when filled, is printed too). -USAGE_ERROR asks for status 2. */
#define USAGE_ERROR EINVAL_USAGE_
enum { EINVAL_USAGE_ = 4096 };

struct verb {
	const char *name;
	const char *summary;        /* under 60 characters, lower case, no final period */
	const struct field *fields; /* options and arguments */
	size_t size;                /* of the options struct */
	const void *defaults;       /* NULL = zeroes */
	unsigned needs;
	int (*run)(struct invocation *call, void *options, struct error *err);
};

/* A verb whose JSON tells what is there: completion offers it. It must change nothing. */
struct lister {
	enum noun noun;
	const char *verb, *member; /* "networks.name": of each element where there are lists */
	const struct verb *own;    /* in the place of one that people call; verb is NULL */
};

struct applet {
	const char *summary;
	const char *about;        /* paragraphs separated by empty lines; NULL = none */
	const char *example;      /* shell lines for help and man page; NULL = none */
	const struct verb *verbs; /* sub-commands, of a plugin, too: array ending in { 0 } */
	const struct verb *run;   /* tool or agent without: its name and summary are ignored */
	const struct cni_plugin *plugin; /* kind cni */
	const struct lister *lists;      /* array ending in { 0 }; NULL = nothing */
};

struct applet_entry {
	const char *name;
	enum applet_kind kind;
	const struct applet *applet;
};

#endif
