/* See trouble.h. */
#include "base/trouble.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

void trouble_tell(struct trouble *trouble, const char *text)
{
	char cut[sizeof(trouble->text)];
	bool same;

	snprintf(cut, sizeof(cut), "%s", text);
	same = trouble->n && streq(cut, trouble->text);
	trouble->n = same ? trouble->n + 1 : 1;
	if (same && clock_ms() < trouble->again_ms)
		return;
	if (same)
		log_warning("%s (%u times by now)", text, trouble->n);
	else
		log_warning("%s", text);
	memcpy(trouble->text, cut, sizeof(cut));
	trouble->again_ms = clock_ms() + TROUBLE_AGAIN_MS;
}
