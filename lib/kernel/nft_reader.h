/* A rule while it is read: shared by nft_read.c, nft_read_xt.c (extensions of xtables) and nft_read_line.c (what only lines have). */
#ifndef KERNEL_NFT_READER_H
#define KERNEL_NFT_READER_H

#include "kernel/nft_table.h"

#include <netlink/attr.h>

#define READER_REGISTERS 16 /* of 4 bytes */

/* A register as the expressions so far left it. */
struct load {
	enum {
		LOAD_OTHER,
		LOAD_NFPROTO,
		LOAD_ETHERTYPE,
		LOAD_SENDER,  /* of a frame */
		LOAD_NETWORK, /* offset and size in the header */
		LOAD_IIFNAME,
		LOAD_OIFNAME,
		LOAD_IN_BRIDGE,
		LOAD_PROTOCOL,
		LOAD_PORT,
		LOAD_TYPE, /* of ICMP */
		LOAD_ADDRTYPE,
		LOAD_STATE,
		LOAD_MARK,
		LOAD_VALUE /* value and size */
	} what;
	uint32_t offset, size;
	uint8_t mask[16], value[16];
};

extern const struct load load_nothing;

struct operand {
	uint32_t op; /* NFT_CMP_* */
	size_t size;
	uint8_t value[16];
};

struct rule_reader {
	struct arena *arena;
	struct nft_rule_info *info;
	struct nft_line *line; /* NULL: sets, limits, logs and named counters are unknown */
	struct load loads[READER_REGISTERS];
	int nfproto;
	uint16_t first_port;
};

/* false: it has ports already. */
bool reader_add_ports(struct rule_reader *reader, uint16_t first, uint16_t last);
/* The expressions that only lines have; false: unknown. */
bool reader_line(struct rule_reader *reader, const char *name, struct nlattr *data);
/* What a register holds. */
const struct load *reader_held(const struct rule_reader *reader, struct nlattr *attr);
void reader_set(struct rule_reader *reader, struct nlattr *attr, const struct load *what);
/* The expressions "match" and "target". */
void reader_match(struct rule_reader *reader, struct nlattr *data);
void reader_target(struct rule_reader *reader, struct nlattr *data);

#endif
