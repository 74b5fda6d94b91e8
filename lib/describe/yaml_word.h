/* What a plain word of YAML means, as YAML 1.1 has it and Kubernetes' tools read it. */
#ifndef DESCRIBE_YAML_WORD_H
#define DESCRIBE_YAML_WORD_H

#include "describe/json.h"

/* null, a boolean, a number or a string. */
struct json *yaml_word(const char *word);

#endif
