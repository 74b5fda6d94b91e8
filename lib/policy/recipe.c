/* See recipe.h. */
#include "policy/recipe.h"

void recipe_add(struct recipes *recipes, uint32_t set, const struct ingredient *ingredient)
{
	if (!recipes)
		return;
	while (recipes->sets.n <= set)
		list_add(recipes->arena, &recipes->sets);
	*list_add(recipes->arena, &recipes->sets.items[set].ingredients) = *ingredient;
}

struct choice *recipe_choice(struct recipes *recipes, bool first, bool paired)
{
	struct choice *choice;

	if (!recipes)
		return NULL;
	choice = list_add(recipes->arena, &recipes->choices);
	choice->first = first;
	choice->paired = paired;
	return choice;
}

void recipes_keep(struct recipes *recipes, const struct compiled *compiled, const uint32_t *numbers)
{
	size_t n = compiled->sets.n;

	if (!recipes)
		return;
	while (recipes->sets.n < n)
		list_add(recipes->arena, &recipes->sets);
	recipes->numbers = arena_alloc(recipes->arena, (n + 1) * sizeof(*numbers));
	list_each(set, &compiled->sets) {
		*list_add(recipes->arena, &recipes->all) = *set;
		recipes->numbers[set - compiled->sets.items] = numbers[set - compiled->sets.items];
	}
}
