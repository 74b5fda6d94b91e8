/* The messages between an agent and its store's process, as structs and JSON; inside lib/lease only. */
#ifndef LEASE_STORE_MESSAGE_H
#define LEASE_STORE_MESSAGE_H

#include "describe/json.h"
#include "lease/subnet.h"

/* A node's own lease as it travels: the store's words. */
struct lease_words {
	const char *key, *value;
	int64_t left_ms;
};

struct node_words {
	struct ip public_ip, public_ip6, told, told6;
	const char *value; /* NULL = none */
};

struct lease_store_message {
	/* to the agent; what is not said is absent */
	const char *network;
	struct lease_words own;
	bool has_leases;
	subnet_leases_t leases; /* in parts; with the last one has_leases is set */
	bool changes;           /* these are not all: only what is different, and what is gone */
	subnet_leases_t gone;
	uint32_t n_bad;
	const char *lost; /* why the own lease is no longer this node's, NULL = it is not lost */
	bool has_trouble;
	const char *trouble; /* NULL = well again */
	bool released;
	bool pong; /* own.left_ms is of the own lease */
	bool has_node;
	struct node_words node;
	/* to the store */
	struct lease_words want; /* key: what the node had before, "" = nothing */
	const char *written;
	bool held; /* it has been the node's since its agent began: just this one, or none */
	bool release;
	bool ping, ready;
};

const char *lease_store_message_text(const struct lease_store_message *message,
				     struct arena *arena);
int lease_store_message_parse(const char *text, size_t size, struct arena *arena,
			      struct lease_store_message *message, struct error *err) must_check;

struct lease_words lease_words_of(const struct subnet_lease *lease, struct arena *arena);
int lease_words_read(const struct lease_words *words, struct arena *arena,
		     struct subnet_lease *lease, struct error *err) must_check;

#endif
