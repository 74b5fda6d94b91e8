/*
 * YAML as the same values that JSON has, so that field tables read it: the only place that knows libyaml. Part of cnibox-store
 * alone. Pure.
 */
#ifndef REMOTE_YAML_H
#define REMOTE_YAML_H

#include "describe/json.h"

/* The first document: mappings, sequences and scalars. A plain true, false or null is one; every other scalar is a string. NULL
 * on error, with the line, code 6: no YAML, a key that is no scalar, too deep or too much (aliases count as often as used). */
struct json *yaml_parse(const char *text, size_t size, struct error *err);

#endif
