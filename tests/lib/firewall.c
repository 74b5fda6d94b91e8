/*
 * lib/firewall as a command, for tests that want many attachments, or one without a plugin around it:
 *
 *   firewall add BACKEND NETWORK ID IFNAME ADDRESS...      firewall spoof-add NETWORK ID IFNAME VETH MAC
 *   firewall del NETWORK ID IFNAME                         firewall spoof-del NETWORK ID IFNAME
 *   firewall check NETWORK ID IFNAME ADDRESS...            firewall spoof-check NETWORK ID IFNAME
 *   firewall gc NETWORK [ID/IFNAME...]                     firewall choose [BACKEND]
 *   firewall fill BACKEND NETWORK COUNT                    attachments podN with 10.(N/200).(N%200).2/24, quickly
 *   firewall time BACKEND COUNT                            mean CPU and wall time of an add
 */
#include "firewall/firewall.h"
#include "firewall/masquerade.h"
#include "firewall/nftables.h"
#include "firewall/iptables.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static struct arena arena;

static int usage(void)
{
	fprintf(stderr, "firewall: see tests/lib/firewall.c\n");
	return 2;
}

static int report(int r, const struct error *err)
{
	if (r < 0)
		fprintf(stderr, "%d: %s\n", r, err->message);
	return r < 0;
}

static enum firewall_backend backend_of(const char *name)
{
	return streq(name, "nftables") ? FIREWALL_NFTABLES : FIREWALL_IPTABLES;
}

static size_t addresses_of(char **words, int n, struct cidr *addresses)
{
	for (int i = 0; i < n; i++)
		if (!cidr_parse(words[i], &addresses[i]))
			return 0;
	return (size_t)n;
}

static struct cidr pod_address(int i)
{
	char text[CIDR_TEXT_SIZE];
	struct cidr cidr = { 0 };

	snprintf(text, sizeof(text), "10.%d.%d.2/24", i / 200, i % 200);
	(void)!cidr_parse(text, &cidr);
	return cidr;
}

/* One transaction or one restore for all, so that a test with hundreds of others starts at once. */
static int fill(const char *name, const char *network, int count, struct error *err)
{
	struct ruleset all = { .family = RULE_IP, .table = "nat" }, one;
	auto_netlink struct netlink *nl = NULL;
	bool nft = backend_of(name) == FIREWALL_NFTABLES;

	if (nft)
		masquerade_nft_base(&arena, &all);
	for (int i = 0; i < count; i++) {
		struct owner owner = { network, arena_printf(&arena, "pod%d", i), "eth0" };
		struct cidr address = pod_address(i);

		if (nft)
			masquerade_nft_rules(&arena, &owner, &address, 1, &one);
		else
			masquerade_xt_rules(&arena, AF_INET, &owner, &address, 1, &one);
		list_each(chain, &one.chains)
			*list_add(&arena, &all.chains) = *chain;
		list_each(rule, &one.rules)
			*list_add(&arena, &all.rules) = *rule;
	}
	if (!nft)
		return iptables_apply(&all, err);
	if (nft_open(&nl, err) < 0)
		return -err->errnum;
	nftables_queue(nl, &all);
	return netlink_commit(nl, err);
}

static double seconds(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int measure(const char *name, int count, struct error *err)
{
	double wall = now(), cpu = seconds(RUSAGE_SELF), children = seconds(RUSAGE_CHILDREN);

	for (int i = 0; i < count; i++) {
		struct owner owner = { "timed", arena_printf(&arena, "t%d", i), "eth0" };
		struct cidr address = pod_address(4000 + i);
		int r = masquerade_add(backend_of(name), &owner, &address, 1, err);

		if (r < 0)
			return r;
	}
	printf("%s: own CPU %.3f ms, children %.3f ms, wall %.3f ms\n", name,
	       (seconds(RUSAGE_SELF) - cpu) * 1000 / count,
	       (seconds(RUSAGE_CHILDREN) - children) * 1000 / count, (now() - wall) * 1000 / count);
	return 0;
}

static int collect(const char *network, char **words, int n, struct error *err)
{
	owners_t valid = { 0 };

	for (int i = 0; i < n; i++) {
		char *slash = strchr(words[i], '/');

		if (!slash)
			return fail(err, 22, "not ID/IFNAME: %s", words[i]);
		*slash = '\0';
		*list_add(&arena, &valid) =
			(struct owner){ .container = words[i], .ifname = slash + 1 };
	}
	return masquerade_gc(network, &valid, err);
}

static int of_owner(const char *verb, int argc, char **argv, struct error *err)
{
	struct owner owner = { argv[0], argv[1], argv[2] };
	struct cidr addresses[8];
	size_t n = argc - 3 <= 8 ? addresses_of(argv + 3, argc - 3, addresses) : 0;
	struct mac mac;

	if (streq(verb, "del"))
		return masquerade_del(&owner, err);
	if (streq(verb, "check"))
		return masquerade_check(&owner, addresses, n, err);
	if (streq(verb, "spoof-add") && argc == 5 && mac_parse(argv[4], &mac))
		return spoof_check_add(&owner, argv[3], &mac, err);
	if (streq(verb, "spoof-del"))
		return spoof_check_del(&owner, err);
	if (streq(verb, "spoof-check"))
		return spoof_check_check(&owner, err);
	return fail(err, 22, "unknown verb %s", verb);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	const char *verb = argc > 1 ? argv[1] : "";
	struct cidr addresses[8];
	enum firewall_backend backend;
	int r;

	if (streq(verb, "choose")) {
		r = firewall_choose(argv[2], &backend, &err);
		if (r == 0)
			puts(backend == FIREWALL_NFTABLES ? "nftables" : "iptables");
		return report(r, &err);
	}
	if (streq(verb, "add") && argc > 6 && argc < 14) {
		size_t n = addresses_of(argv + 6, argc - 6, addresses);
		struct owner owner = { argv[3], argv[4], argv[5] };

		return report(masquerade_add(backend_of(argv[2]), &owner, addresses, n, &err),
			      &err);
	}
	if (streq(verb, "fill") && argc == 5)
		return report(fill(argv[2], argv[3], atoi(argv[4]), &err), &err);
	if (streq(verb, "time") && argc == 4)
		return report(measure(argv[2], atoi(argv[3]), &err), &err);
	if (streq(verb, "gc") && argc > 2)
		return report(collect(argv[2], argv + 3, argc - 3, &err), &err);
	return argc > 4 ? report(of_owner(verb, argc - 2, argv + 2, &err), &err) : usage();
}
