/* One decoding: what json_decode() and json_check() share. */
#ifndef DESCRIBE_JSON_DECODE_H
#define DESCRIBE_JSON_DECODE_H

#include "describe/json.h"

struct decode {
	struct arena *arena;
	struct error *err;      /* the first error, when there is no report */
	json_report_fn *report; /* NULL: stop at the first error */
	void *arg;
	bool strict; /* keys exactly as in the table, and none that is not in it */
	bool failed; /* with report: there was an error */
};

int decode_document(struct decode *decode, const struct json *json, const struct field *fields,
		    void *out) must_check;

#endif
