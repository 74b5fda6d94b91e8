/*
 * Texts that hold any number of documents, in JSON (one behind the other) or in YAML (`---` between), as Kubernetes'
 * tools read and write them: a text that begins with a brace or a bracket is JSON. No object may have a key twice.
 */
#ifndef DESCRIBE_DOCUMENTS_H
#define DESCRIBE_DOCUMENTS_H

#include "describe/json.h"

/* One document; or one element of a list's `items`, with the list's other members: a list in JSON is never in memory
 * whole. Borrowed until the call returns. */
typedef void document_fn(void *arg, const struct json *document, const struct json *list);

/* Empty documents are left out. What came in front of an error has been handed over. */
int documents_each(const char *text, size_t size, document_fn *fn, void *arg,
		   struct error *err) must_check;

#endif
