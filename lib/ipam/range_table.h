/* How ranges are written in a configuration: for host-local, and for who reads its configuration. */
#ifndef IPAM_RANGE_TABLE_H
#define IPAM_RANGE_TABLE_H

#include "describe/field.h"
#include "ipam/range.h"

/* The rows of a struct range that is the member `at` of another struct ("range."; nothing: it is the struct). */
/* clang-format off */
#define RANGE_ROW(type_, key_, kind, member, help_) \
	{ .key = (key_), .type = (kind), .offset = offsetof(type_, member), .help = (help_) }
#define RANGE_ROWS(type_, at)                                                                      \
	RANGE_ROW(type_, "subnet",     FIELD_CIDR, at subnet,  "network of the addresses"),           \
	RANGE_ROW(type_, "rangeStart", FIELD_IP,   at start,   "first address; unset: the network's first"), \
	RANGE_ROW(type_, "rangeEnd",   FIELD_IP,   at end,     "last address; unset: the network's last"),   \
	RANGE_ROW(type_, "gateway",    FIELD_IP,   at gateway, "gateway, never given out; unset: the network's first")
/* clang-format on */

extern const struct field range_set_fields[]; /* .fields of a list of range_set_t */

#endif
