/*
 * A binding: one lease at work in its container. It owns the namespace's descriptor, a packet socket, a timer, and the
 * client's state machine, and has the effects that the machine asks for: messages, the interface up or down, the file.
 */
#ifndef DHCP_BINDING_H
#define DHCP_BINDING_H

#include "base/loop.h"
#include "dhcp/client.h"
#include "dhcp/store.h"
#include "kernel/netlink.h"
#include "kernel/route.h"

struct peer;
struct binding;

/* What all bindings of a daemon share. */
struct binding_env {
	struct loop *loop;
	const char *folder; /* of the store */
	const char *
		host_prefix; /* in front of a namespace's path when it is opened again; "" = none */
	struct dhcp_timings timings;
	/* A lease came, was lost, or will not come (DHCP_FAILED: err says why; the binding is to be ended). Nothing of the
	 * binding is touched after. */
	void (*changed)(void *arg, struct binding *binding, enum dhcp_event event,
			const struct error *err);
	void (*note)(const char *line); /* what an administrator may want to know */
	void *arg;
};

struct binding {
	struct binding_env *env;
	struct binding *next;
	struct arena arena;
	struct dhcp_record record; /* but for the lease, which is the client's */
	struct dhcp_client client;
	struct peer *waiting; /* for the lease, NULL = nobody */
	int netns, packet, mute, timer;
	int look;        /* timer: the interface is down, and its end would not be told */
	bool down;       /* the lease was lost, the address taken away */
	routes_t routes; /* what went with it, to be put back */
	struct arena routes_arena;
};

/* Find the interface, set it up, listen there. netns is taken over. Strings are copied. */
int binding_open(struct binding **binding, struct binding_env *env,
		 const struct dhcp_record *record, int *netns, struct error *err) must_check;
/* From the store: the namespace is opened by its path, and must be the same. */
int binding_reopen(struct binding **binding, struct binding_env *env,
		   const struct dhcp_record *record, struct error *err) must_check;
/* Begin. changed() may come before these return, and the binding may be gone then. */
void binding_start(struct binding *binding);
void binding_reboot(struct binding *binding, const struct ip *address);
void binding_resume(struct binding *binding, const struct dhcp_lease *lease);
/* Give back the lease (release), forget it, free it. */
void binding_end(struct binding *binding, bool release);
/* Free it, and leave the lease in the store. */
void binding_close(struct binding *binding);

struct owner binding_owner(const struct binding *binding);
/* True when this interface of this namespace is the one that has the lease. */
bool binding_is_at(const struct binding *binding, int netns, const char *ifname);
void binding_note(const struct binding *binding, const char *format, ...) printf_like(2, 3);

#endif
