#include "remote/kube_revision.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *kube_revision(const struct json *object)
{
	const char *text =
		json_string(json_member(json_member(object, "metadata"), "resourceVersion"));

	return text && *text && strlen(text) < KUBE_REVISION_SIZE ? text : NULL;
}

uint64_t kube_revision_number(const struct json *object)
{
	const char *text = kube_revision(object);

	return text ? strtoull(text, NULL, 10) : 0;
}

void kube_revision_keep(char revision[KUBE_REVISION_SIZE], const struct json *object)
{
	const char *text = kube_revision(object);

	if (text)
		snprintf(revision, KUBE_REVISION_SIZE, "%s", text);
}

bool kube_revision_is_back(const char *revision, const struct json *page)
{
	return kube_revision(page) && kube_revision_number(page) < strtoull(revision, NULL, 10);
}
