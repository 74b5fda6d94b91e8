/* The table of range sets; see range_table.h. */
#include "ipam/range_table.h"

static const struct field range_fields[] = { RANGE_ROWS(struct range, ), FIELDS_END };

const struct field range_set_fields[] = { { .key = "",
					    .type = FIELD_LIST,
					    .element = FIELD_OBJECT,
					    .size = sizeof(struct range),
					    .fields = range_fields,
					    .help = "ranges of one family" },
					  FIELDS_END };
