/*
 * Words that people and runtimes write: addresses, CIDRs, MACs, names, versions, base64, lines of iptables-save, groups of
 * processes, lines of their sockets, and one word for every type of field. What is accepted is written in canonical form, which must read back as the same.
 */
#include "fuzz.h"

#include "base/ip.h"
#include "base/pattern.h"
#include "base/text.h"
#include "cni/request.h"
#include "firewall/saved.h"
#include "describe/json.h"
#include "kernel/netns_internal.h"
#include "kernel/sysfs.h"
#include "node/filter.h"

#include <netinet/in.h>

static void addresses(const char *text)
{
	struct ip ip, ip_again;
	struct cidr cidr, cidr_again, network;
	char ip_text[IP_TEXT_SIZE], cidr_text[CIDR_TEXT_SIZE];

	if (ip_parse(text, &ip)) {
		fuzz_check(ip_parse(ip_format(&ip, ip_text), &ip_again) && ip_equal(&ip, &ip_again),
			   "%s", text);
		ip_again = ip_add(&ip, 1);
		ip_again = ip_add(&ip_again, -1);
		fuzz_check(ip_equal(&ip, &ip_again), "%s + 1 - 1", text);
	}
	if (!cidr_parse(text, &cidr))
		return;
	fuzz_check(cidr_parse(cidr_format(&cidr, cidr_text), &cidr_again) &&
			   cidr_equal(&cidr, &cidr_again),
		   "%s", text);
	network = cidr_network(&cidr);
	cidr_again.ip = cidr_last(&cidr);
	fuzz_check(cidr_contains(&network, &cidr.ip) && cidr_contains(&cidr, &network.ip), "%s",
		   text);
	fuzz_check(cidr_contains(&cidr, &cidr_again.ip) && cidr_overlaps(&cidr, &network), "%s",
		   text);
	fuzz_check(ip_compare(&network.ip, &cidr.ip) <= 0 &&
			   ip_compare(&cidr.ip, &cidr_again.ip) <= 0,
		   "%s", text);
}

static void hardware_address(const char *text)
{
	struct mac mac, again;
	char mac_text[MAC_TEXT_SIZE];

	if (mac_parse(text, &mac))
		fuzz_check(mac_parse(mac_format(&mac, mac_text), &again) && mac_equal(&mac, &again),
			   "%s", text);
}

/* What may become a part of a path below /sys leads nowhere else. */
static void hardware(const char *text)
{
	char pci[SYSFS_PCI_SIZE], again[SYSFS_PCI_SIZE];
	char address[SYSFS_ADDRESS_SIZE], address_again[SYSFS_ADDRESS_SIZE];

	if (sysfs_address_parse(text, address))
		fuzz_check(sysfs_address_parse(address, address_again) &&
				   streq(address, address_again),
			   "%s as %s", text, address);

	if (sysfs_pci_parse(text, pci))
		fuzz_check(sysfs_pci_parse(pci, again) && streq(pci, again) && !strchr(pci, '/'),
			   "%s as %s", text, pci);
	if (sysfs_auxiliary_valid(text))
		fuzz_check(*text && *text != '.' && !strchr(text, '/'), "%s", text);
	if (sysfs_path_check(text, NULL) == 0)
		fuzz_check(has_prefix(text, "/sys/devices/") && !strstr(text, "/../"), "%s", text);
}

/* Of /proc/PID/cgroup: names of groups are anybody's. */
static void container(const char *text, struct arena *arena)
{
	char id[NETNS_CONTAINER_ID_MAX + 1];

	netns_cgroup_id(arena_strdup(arena, text), id);
	fuzz_check(strspn(id, "0123456789abcdef") == strlen(id), "%s is no id", id);
}

static bool is_any(const char *addr)
{
	return strspn(addr, "0") == strlen(addr) || streq(addr, "0000000000000000FFFF000000000000");
}

/* Of /proc/net/tcp: what is one by the kernel's format is read as it is meant. */
static void socket_line(const char *text)
{
	static const struct {
		uint8_t protocol;
		unsigned state;
	} wanted[] = { { IPPROTO_TCP, 10 }, { IPPROTO_UDP, 7 } };
	char addr[33] = "", remote[33] = "", blanks[2];
	unsigned port = 0, state = 0;
	bool is = sscanf(text, "%*u: %32[0-9A-F]:%4X %32[0-9A-F]:%*4[0-9A-F]%c%2X%c", addr, &port,
			 remote, &blanks[0], &state, &blanks[1]) == 6 &&
		  blanks[0] == ' ' && blanks[1] == ' ' && port <= UINT16_MAX &&
		  strlen(addr) % 24 == 8 && strlen(remote) % 24 == 8;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct parcel parcel = { .protocol = wanted[i].protocol,
					       .port = (uint16_t)port };
		bool fits = state == wanted[i].state, listens;
		struct ip only = { 0 };

		listens = socket_line_listens(text, &parcel, &only);
		fuzz_check(!listens || !only.family, "%s: both", text);
		fuzz_check(!is || listens == (fits && is_any(addr)), "%s: %s, port %u, state %u",
			   text, addr, port, state);
		fuzz_check(!is || (only.family != 0) == (fits && !is_any(addr)), "%s: only", text);
	}
}

static void encoded(const char *text, struct arena *arena)
{
	size_t size;
	char *bytes = base64_decode(arena, text, &size), *again;

	if (!bytes)
		return;
	again = base64_encode(arena, bytes, size);
	bytes = base64_decode(arena, again, &(size_t){ 0 });
	fuzz_check(bytes, "%s as %s", text, again);
}

static void saved_line(const char *text, struct arena *arena)
{
	struct nft_rule_info info;
	const char *chain = saved_rule(text, arena, &info);

	fuzz_check(strlen(chain) + strlen(info.comment) + strlen(info.target) <= strlen(text), "%s",
		   text);
	fuzz_check(info.n_ports <= NFT_MULTIPORTS && memchr(info.in.name, 0, sizeof(info.in.name)),
		   "%s", text);
}

/* The first line is the pattern, the second what it is to match. */
static void patterns(const char *text, struct arena *arena)
{
	char *pattern = arena_strdup(arena, text), *subject = strchr(pattern, '\n');
	struct error err = { 0 };
	bool matches;

	if (subject)
		*subject++ = '\0';
	if (pattern_match(pattern, subject ? subject : "", &matches, &err) < 0)
		fuzz_check(!matches && strstr(err.message, "no pattern"), "%s", err.message);
}

/* One member of each type that a word can set, all in the same place. */
static void fields(const char *text, struct arena *arena)
{
	static const char *const names[] = { "one", "two", NULL };
	union {
		char bytes[256];
		uint64_t align;
	} value, again;

	for (enum field_type type = FIELD_STRING; type <= FIELD_DURATION; type++) {
		const struct field field = { .key = "key", .type = type, .names = names };
		struct error err = { 0 };

		memset(&value, 0, sizeof(value));
		memset(&again, 0, sizeof(again));
		if (field_parse(&field, text, &value, arena, &err) < 0)
			continue;
		char *word = field_text(&field, &value, arena);

		if (type == FIELD_BOOL || !*word)
			continue;
		fuzz_check(field_parse(&field, word, &again, arena, &err) >= 0, "%s: %s", word,
			   err.message);
		fuzz_check(streq(word, field_text(&field, &again, arena)), "%s: %s", word,
			   field_text(&field, &again, arena));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = { "bridge", "loopback", "host-local", "" };
	auto_arena struct arena arena = { 0 };
	const char *text = arena_memdup(&arena, data, size);
	struct error err = { 0 };

	addresses(text);
	hardware_address(text);
	hardware(text);
	container(text, &arena);
	socket_line(text);
	encoded(text, &arena);
	fields(text, &arena);
	saved_line(text, &arena);
	patterns(text, &arena);
	json_repeats(text, size, "sysctl");
	nearest_word(text, words, ARRAY_SIZE(words));
	if (cni_valid_name(text))
		fuzz_check(!strpbrk(text, "/ \n:") && !streq(text, ".."), "%s is a valid name",
			   text);
	if (cni_check_ifname(text, &err) >= 0)
		fuzz_check(*text && strlen(text) < 16 && !strchr(text, '/'),
			   "%s is a valid interface name", text);
	fuzz_check(cni_version_compare(text, text) == 0, "%s differs from itself", text);
	return 0;
}
