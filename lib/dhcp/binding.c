/*
 * Effects in the order that matters: the interface first, then the message, then the file, then who waits. The packet
 * socket lives as long as the binding: while nothing is expected it lets nothing in, but tells when the link goes.
 */
#include "dhcp/binding_link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "dhcp/datagram.h"
#include "kernel/link.h"
#include "kernel/netns.h"
#include "kernel/packet.h"

enum { LOOK_MS = 2000 };

struct owner binding_owner(const struct binding *b)
{
	return (struct owner){ b->record.network, b->record.container, b->record.ifname };
}

/* ---- messages ---- */

/* While an answer is expected at an address that the container has, the kernel would refuse it: port unreachable. */
static void listen_for_answers(struct binding *b)
{
	struct error err = { 0 };

	if (packet_accept_dhcp(b->packet, b->client.xid, &err))
		binding_note(b, "%s", err.message);
	if (b->mute < 0)
		(void)!packet_mute_port(b->netns, b->record.ifname, DHCP_CLIENT_PORT, &b->mute,
					NULL);
}

static void listen_no_more(struct binding *b)
{
	(void)!packet_accept_nothing(b->packet, NULL);
	close_fd(&b->mute);
	b->mute = -1;
}

/* What cannot be sent now is as good as lost on the way: it is sent again. */
static void send_message(struct binding *b, const struct dhcp_output *out)
{
	uint8_t packet[DATAGRAM_HEAD + DHCP_SEND_MAX];
	struct error err = { 0 };
	size_t size;

	if (!out->size)
		return;
	size = datagram_wrap(packet, &out->from, &out->to, out->message, out->size);
	if (packet_send(b->packet, b->record.index, &out->to_mac, packet, size, &err) &&
	    err.errnum != ENETDOWN)
		binding_note(b, "%s", err.message);
}

/* ---- events ---- */

static void save(struct binding *b)
{
	struct dhcp_record record = b->record;
	struct error err = { 0 };

	record.lease = b->client.lease;
	if (!b->client
		     .usable) { /* whoever takes it up again must not use it, whatever the server once said */
		record.lease.begin_ms = clock_boot_ms() - 1000;
		record.lease.seconds = record.lease.t1 = record.lease.t2 = 1;
	}
	if (store_write(b->env->folder, &record, &err))
		binding_note(b, "the lease will not survive a restart: %s", err.message);
}

static void note_lease(const struct binding *b, const char *what)
{
	const struct dhcp_lease *lease = &b->client.lease;
	char address[CIDR_TEXT_SIZE], server[IP_TEXT_SIZE];

	cidr_format(&lease->address, address);
	ip_format(&lease->server, server);
	if (lease->seconds == DHCP_FOREVER)
		binding_note(b, "%s %s from %s for ever", what, address, server);
	else
		binding_note(b, "%s %s from %s for %u s", what, address, server, lease->seconds);
}

static void have_effect(struct binding *b, const struct dhcp_output *out)
{
	char address[CIDR_TEXT_SIZE];

	switch (out->event) {
	case DHCP_GRANTED:
		if (b->down)
			binding_bring_back(b);
		save(b);
		note_lease(b, "leased");
		break;
	case DHCP_EXTENDED:
		save(b);
		note_lease(b, "renewed");
		break;
	case DHCP_LOST:
		if (!b->down) {
			binding_note(b,
				     "lost %s: the interface goes down, the address is asked for",
				     cidr_format(&b->client.lease.address, address));
			save(b);
		}
		binding_take_down(b);
		break;
	case DHCP_AWAKE: (void)!binding_set_link(b, true, &(struct error){ 0 }); break;
	case DHCP_NO_NEWS:
	case DHCP_FAILED:
	default: break;
	}
}

static void on_timer(struct loop *loop, void *arg);

static void arm_timer(struct binding *b)
{
	int64_t left = b->client.next - clock_boot_ms();

	loop_cancel(b->env->loop, b->timer);
	b->timer = 0;
	if (b->client.next == INT64_MAX)
		return;
	b->timer = loop_after(b->env->loop, left > 0 ? (unsigned)left : 0, on_timer, b, NULL);
}

/* The machine has moved: do what it says. The last thing may free the binding. */
static void act(struct binding *b, const struct dhcp_output *out)
{
	if (out->event != DHCP_NO_NEWS)
		have_effect(b, out);
	if (dhcp_client_listens(&b->client))
		listen_for_answers(b);
	else
		listen_no_more(b);
	send_message(b, out);
	arm_timer(b);
	if (out->event != DHCP_NO_NEWS)
		b->env->changed(b->env->arg, b, out->event, &out->err);
}

static void on_timer(struct loop *loop unused, void *arg)
{
	struct binding *b = arg;
	struct dhcp_output out;

	b->timer = 0;
	binding_refresh_mac(b);
	dhcp_client_timer(&b->client, clock_boot_ms(), &out);
	act(b, &out);
}

static void link_gone(struct binding *b)
{
	struct error err = { 0 };

	fail(&err, ENODEV, "interface \"%s\" is gone", b->record.ifname);
	b->env->changed(b->env->arg, b, DHCP_FAILED, &err);
}

/* A packet socket tells when its link goes down, or goes while it is up; nothing tells when one goes that is down. */
static void look_at_link(struct loop *loop unused, void *arg)
{
	struct binding *b = arg;
	int state = binding_link_state(b);

	loop_cancel(b->env->loop, b->look);
	b->look = 0;
	if (state == LINK_IS_GONE)
		link_gone(b);
	else if (state == LINK_IS_DOWN)
		b->look = loop_after(b->env->loop, LOOK_MS, look_at_link, b, NULL);
}

/* One packet, or the link's state; what is left comes in the next round. */
static void on_packet(struct loop *loop unused, void *arg)
{
	struct binding *b = arg;
	uint8_t packet[DATAGRAM_HEAD + 40 + DHCP_MESSAGE_MAX];
	struct dhcp_output out;
	const uint8_t *payload;
	struct mac from;
	size_t size;
	bool whole;
	ssize_t n = packet_receive(b->packet, packet, sizeof(packet), &from, &whole);

	if (n < 0) {
		if (n != -EAGAIN && n != -EINTR && n != -EMSGSIZE)
			look_at_link(NULL, b);
		return;
	}
	payload = datagram_unwrap(packet, (size_t)n, whole, &size);
	if (!payload)
		return;
	dhcp_client_receive(&b->client, payload, size, &from, clock_boot_ms(), &out);
	if (out.event != DHCP_NO_NEWS || out.size || !dhcp_client_listens(&b->client))
		act(b, &out);
	else
		arm_timer(b);
}

/* ---- life ---- */

static void copy_options(struct binding *b, const struct dhcp_options *options)
{
	struct dhcp_options *own = &b->record.options;

	*own = (struct dhcp_options){ .client_id = arena_strdup(&b->arena, options->client_id) };
	list_each(option, &options->provide)
		*list_add(&b->arena, &own->provide) = (struct dhcp_option){
			option->code, arena_strdup(&b->arena, option->value ? option->value : "")
		};
	list_each(code, &options->request)
		*list_add(&b->arena, &own->request) = *code;
}

static struct binding *binding_new(struct binding_env *env, const struct dhcp_record *record)
{
	struct binding *b = xrealloc(NULL, sizeof(*b));

	*b = (struct binding){
		.env = env, .netns = -1, .packet = -1, .mute = -1, .record = *record
	};
	b->record.lease = (struct dhcp_lease){ 0 };
	b->record.network = arena_strdup(&b->arena, record->network);
	b->record.container = arena_strdup(&b->arena, record->container);
	b->record.ifname = arena_strdup(&b->arena, record->ifname);
	b->record.netns = arena_strdup(&b->arena, record->netns ? record->netns : "");
	copy_options(b, &record->options);
	b->client = (struct dhcp_client){
		.options = &b->record.options,
		.timings = &env->timings,
		.arena = &b->arena,
		.next = INT64_MAX,
	};
	if (getrandom(&b->client.random, sizeof(b->client.random), 0) < 0 || !b->client.random)
		b->client.random = (uint64_t)clock_boot_ms() | 1;
	return b;
}

void binding_close(struct binding *b)
{
	if (b->packet >= 0)
		loop_unwatch(b->env->loop, b->packet);
	loop_cancel(b->env->loop, b->timer);
	loop_cancel(b->env->loop, b->look);
	close_fd(&b->packet);
	close_fd(&b->mute);
	close_fd(&b->netns);
	arena_free(&b->routes_arena);
	arena_free(&b->arena);
	free(b);
}

static int find_link(struct binding *b, struct link *link, struct error *err)
{
	auto_netlink struct netlink *nl = NULL;

	if (binding_session(b, &nl, err) || link_get(nl, b->record.ifname, link, err))
		return -err->errnum;
	if (!link->mac.set)
		return fail(err, EOPNOTSUPP, "interface \"%s\" has no Ethernet address",
			    b->record.ifname);
	b->record.index = link->index;
	b->record.mac = b->client.mac = link->mac;
	return 0;
}

static int open_socket(struct binding *b, struct error *err)
{
	if (packet_open(b->netns, b->record.index, &b->packet, err))
		return -err->errnum;
	return loop_watch(b->env->loop, b->packet, EPOLLIN, on_packet, b, err);
}

static int open_in(struct binding *b, struct error *err)
{
	struct link link = { 0 };
	dev_t device;
	ino_t inode;

	if (netns_identity(b->netns, &device, &inode, err) || find_link(b, &link, err))
		return -err->errnum;
	b->record.device = device;
	b->record.inode = inode;
	if (!(link.flags & LINK_UP) && binding_set_link(b, true, err))
		return -err->errnum;
	return open_socket(b, err);
}

int binding_open(struct binding **binding, struct binding_env *env,
		 const struct dhcp_record *record, int *netns, struct error *err)
{
	struct binding *b = binding_new(env, record);

	b->netns = take_fd(netns);
	if (open_in(b, err)) {
		binding_close(b);
		return -err->errnum;
	}
	*binding = b;
	return 0;
}

/* Another namespace at the same path is another container. */
static int reopen_in(struct binding *b, const struct dhcp_record *record, struct error *err)
{
	const char *path = arena_printf(&b->arena, "%s%s", b->env->host_prefix, record->netns);
	struct link link = { 0 };
	dev_t device;
	ino_t inode;

	if (netns_open(path, &b->netns, err) || netns_identity(b->netns, &device, &inode, err))
		return -err->errnum;
	if (device != record->device || inode != record->inode)
		return fail(err, ESTALE, "another namespace is at %s", path);
	if (find_link(b, &link, err))
		return -err->errnum;
	if (link.index != record->index)
		return fail(err, ESTALE, "another interface \"%s\" is there", record->ifname);
	return open_socket(b, err);
}

int binding_reopen(struct binding **binding, struct binding_env *env,
		   const struct dhcp_record *record, struct error *err)
{
	struct binding *b = binding_new(env, record);

	if (reopen_in(b, record, err)) {
		binding_close(b);
		return -err->errnum;
	}
	*binding = b;
	return 0;
}

void binding_start(struct binding *b)
{
	struct dhcp_output out;

	dhcp_client_start(&b->client, clock_boot_ms(), &out);
	act(b, &out);
}

void binding_reboot(struct binding *b, const struct ip *address)
{
	struct dhcp_output out;

	dhcp_client_reboot(&b->client, address, clock_boot_ms(), &out);
	act(b, &out);
}

/* The lists of the lease are the caller's: copied. */
void binding_resume(struct binding *b, const struct dhcp_lease *lease)
{
	struct dhcp_lease own = *lease;
	struct dhcp_output out;

	own.routes.items = NULL;
	own.routes.n = 0;
	list_each(route, &lease->routes)
		*list_add(&b->arena, &own.routes) = *route;
	own.name_servers.items = NULL;
	own.name_servers.n = 0;
	list_each(ip, &lease->name_servers)
		*list_add(&b->arena, &own.name_servers) = *ip;
	own.domain = arena_strdup(&b->arena, lease->domain);
	dhcp_client_resume(&b->client, &own, clock_boot_ms(), &out);
	act(b, &out);
}

void binding_end(struct binding *b, bool release)
{
	struct owner owner = binding_owner(b);
	struct dhcp_output out;
	char address[CIDR_TEXT_SIZE];

	if (release && b->client.has_lease) {
		cidr_format(&b->client.lease.address, address);
		dhcp_client_release(&b->client, clock_boot_ms(), &out);
		send_message(b, &out);
		binding_note(b, "released %s", address);
	}
	store_remove(b->env->folder, &owner);
	binding_close(b);
}

bool binding_is_at(const struct binding *b, int netns, const char *ifname)
{
	auto_netlink struct netlink *nl = NULL;
	struct link link = { 0 };
	struct error err = { 0 };
	dev_t device;
	ino_t inode;

	if (netns_identity(netns, &device, &inode, &err) || b->record.device != device ||
	    b->record.inode != inode)
		return false;
	return binding_session(b, &nl, &err) == 0 && link_get(nl, ifname, &link, &err) == 0 &&
	       link.index == b->record.index;
}
