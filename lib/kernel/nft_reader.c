/* A rule while it is read: its registers and its ports. See nft_reader.h. */
#include "kernel/nft_reader.h"
#include "kernel/nft_internal.h"

#include <linux/netfilter/nf_tables.h>

const struct load load_nothing = { LOAD_OTHER };

/* Registers have two names: of 16 bytes, and of 4. -1 for the verdict, and what there is not. */
static int slot_of(struct nlattr *attr)
{
	uint32_t number = nft_be32(attr);

	if (number >= NFT_REG_1 && number <= NFT_REG_4)
		return (int)(number - NFT_REG_1) * 4;
	if (number >= NFT_REG32_00 && number <= NFT_REG32_15)
		return (int)(number - NFT_REG32_00);
	return -1;
}

const struct load *reader_held(const struct rule_reader *reader, struct nlattr *attr)
{
	int slot = slot_of(attr);

	return slot < 0 ? &load_nothing : &reader->loads[slot];
}

void reader_set(struct rule_reader *reader, struct nlattr *attr, const struct load *what)
{
	int slot = slot_of(attr);

	if (slot >= 0)
		reader->loads[slot] = *what;
	else
		reader->info->unknown = true;
}

bool reader_add_ports(struct rule_reader *reader, uint16_t first, uint16_t last)
{
	struct ports *ports = arena_alloc(reader->arena, sizeof(*ports));

	if (reader->info->n_ports)
		return false;
	*ports = (struct ports){ first, last };
	reader->info->ports = ports;
	reader->info->n_ports = 1;
	return true;
}
