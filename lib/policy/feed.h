/*
 * What a source of objects in a process of its own (cnibox-store) says and is told: one message a frame, in JSON. Objects are
 * trimmed to what is read of them.
 */
#ifndef POLICY_FEED_H
#define POLICY_FEED_H

#include "describe/json.h"

enum feed_word {
	FEED_NOTHING,
	/* from the source; kind is one of object_kinds */
	FEED_BEGIN,   /* all objects of the kind follow, */
	FEED_PUT,     /* in these, */
	FEED_END,     /* and were told; outside of that, one that is new or another now */
	FEED_REMOVE,  /* kind, space, name */
	FEED_TROUBLE, /* kind, and why it cannot be looked at */
	FEED_WELL,    /* kind: it can again */
	FEED_PONG,
	/* to the source */
	FEED_PING,
	FEED_AGAIN, /* tell all of all kinds */
};

struct feed_message {
	int word;
	const char *kind, *space, *name, *why;
	struct json *objects; /* an array; borrowed */
};
char *feed_text(const struct feed_message *message, struct arena *arena);
/* Borrows from json, which has to be released. */
int feed_parse(const char *text, size_t size, struct arena *arena, struct json **json,
	       struct feed_message *message, struct error *err) must_check;

#endif
