/*
 * YAML, the only place that knows libyaml: documents become JSON values. Plain words are read as Kubernetes' tools read
 * them (YAML 1.1: yes, on, 0x1f and 017 are no strings). Anchors and merge keys work; a document that grows by them
 * beyond bounds, a key that comes twice, and a key that is no string are refused.
 */
#ifndef DESCRIBE_YAML_H
#define DESCRIBE_YAML_H

#include "describe/json.h"

struct yaml;

struct yaml *yaml_open(const char *text, size_t size); /* the text is not copied */
void yaml_close(struct yaml *yaml);                    /* NULL-safe */
/* The next document, the caller's to release: 1, 0 behind the last, or -EINVAL with line and column. */
int yaml_next(struct yaml *yaml, struct json **json, struct error *err) must_check;

/* The first document of a text; NULL on error, or when there is none. */
struct json *yaml_parse(const char *text, size_t size, struct error *err);

static inline void yaml_closep(struct yaml **yaml)
{
	yaml_close(*yaml);
}
#define auto_yaml on_leave(yaml_closep)

#endif
