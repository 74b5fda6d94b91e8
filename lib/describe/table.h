/* Records on a terminal or as JSON, from the same field table: columns are the rows, headings their keys. */
#ifndef DESCRIBE_TABLE_H
#define DESCRIBE_TABLE_H

#include "describe/field.h"

#include <stdio.h>

/* Print n records of size bytes as aligned columns under upper-case headings (--interface-id style: INTERFACE ID), or,
 * with as_json, as an array of objects with a final newline. No records: nothing, or []. */
void table_print(FILE *out, const struct field *fields, const void *records, size_t n, size_t size,
		 bool as_json);
/* For people only; below each row there is room for whole lines, which `under` writes. */
typedef void table_under_fn(void *arg, size_t i, FILE *out);
void table_print_under(FILE *out, const struct field *fields, const void *records, size_t n,
		       size_t size, table_under_fn *under, void *arg);

#endif
