/* What is in the kernel and should not be, or the other way round. */
#include "policy/backend.h"

void damage_add(struct arena *arena, damages_t *damages, const char *place, const char *what)
{
	if (damages)
		*list_add(arena, damages) = (struct damage){ arena_strdup(arena, place), what };
}
