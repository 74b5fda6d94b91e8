/*
 * tun: makes and removes TAP devices that outlive their maker, where no `ip tuntap` is installed. The plugin tap runs it
 * when a tap must be made under an SELinux label, since that is the label of a process.
 */
#include "describe/applet.h"
#include "kernel/link.h"
#include "kernel/tun.h"

#include <errno.h>

struct add_options {
	char name[16];
	bool multi_queue, has_owner, has_group;
	uint32_t owner, group;
};
#define ADD(member) offsetof(struct add_options, member)

static const struct field add_fields[] = {
	{ "name", FIELD_IFNAME, ADD(name), .flags = FIELD_REQUIRED | FIELD_POSITIONAL,
	  .noun = NOUN_NEW, .help = "name of the device; it must be free" },
	{ "owner", FIELD_UINT32, ADD(owner), .metavar = "UID",
	  .seen = FIELD_SEEN(struct add_options, has_owner), .help = "the user who may open it" },
	{ "group", FIELD_UINT32, ADD(group), .metavar = "GID",
	  .seen = FIELD_SEEN(struct add_options, has_group),
	  .help = "the group whose members may open it" },
	{ "multiQueue", FIELD_BOOL, ADD(multi_queue), .help = "more than one program may open it" },
	FIELDS_END
};

struct del_options {
	char name[16];
};

static const struct field del_fields[] = { { "name", FIELD_IFNAME, 0,
					     .flags = FIELD_REQUIRED | FIELD_POSITIONAL,
					     .help = "name of the device" },
					   FIELDS_END };

static int tun_add_run(struct invocation *call unused, void *options_, struct error *err)
{
	const struct add_options *options = options_;

	return tun_create(
		&(struct tap_spec){
			.name = options->name,
			.multi_queue = options->multi_queue,
			.has_owner = options->has_owner,
			.has_group = options->has_group,
			.owner = options->owner,
			.group = options->group,
		},
		err);
}

/* Nothing but what add makes: a slip of the pen is not to remove a network card. */
static int tun_del_run(struct invocation *call unused, void *options_, struct error *err)
{
	const struct del_options *options = options_;
	struct netlink *nl auto_netlink = NULL;
	struct link link;

	if (netlink_open(&nl, NETLINK_SESSION_ROUTE, -1, err))
		return -err->errnum;
	if (link_get(nl, options->name, &link, err))
		return fail(err, ENODEV, "there is no interface %s", options->name);
	if (!streq(link.kind, "tun"))
		return fail(err, EINVAL, "%s is not a tun or tap device", options->name);
	link_queue_del_index(nl, link.index, "delete the device");
	return netlink_commit(nl, err);
}

/* clang-format off */
static const struct verb verbs[] = {
	{ .name = "add", .summary = "make a tap that stays", .needs = NEEDS_NET_ADMIN,
	  .fields = add_fields, .size = sizeof(struct add_options), .run = tun_add_run },
	{ .name = "del", .summary = "remove one", .needs = NEEDS_NET_ADMIN,
	  .fields = del_fields, .size = sizeof(struct del_options), .run = tun_del_run },
	{ 0 },
};
/* clang-format on */

const struct applet applet_tun = {
	.summary = "make and remove tap devices",
	.about =
		"A tap is a network interface whose other end is a program, such as a virtual machine. It stays until it is\n"
		"deleted, and works while a program has it open: one program, or several with --multi-queue. Without\n"
		"--owner and --group that takes CAP_NET_ADMIN.\n\n"
		"In another network namespace: cnibox netns exec NAME -- cnibox tun add tap0",
	.example = "cnibox tun add tap0 --owner 1000\n"
		   "cnibox tun del tap0",
	.verbs = verbs,
};
