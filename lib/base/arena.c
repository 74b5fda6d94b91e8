/*
 * Arena: a chain of blocks, newest first; small requests are cut from the newest, large ones get a block of
 * their own behind it. The first block is small, since a CNI call decodes a few kilobytes.
 */
#include "base/arena.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>

#define BLOCK_SIZE ((size_t)8192)
#define ALIGNMENT  alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	alignas(max_align_t) char data[];
};

__attribute__((weak)) _Noreturn void out_of_memory(void)
{
	abort();
}

void *xrealloc(void *ptr, size_t size)
{
	void *grown = realloc(ptr, size ? size : 1);

	if (!grown)
		out_of_memory();
	return grown;
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX / 2)
		out_of_memory();
	block = xrealloc(NULL, sizeof(*block) + size);
	*block = (struct arena_block){ .size = size };
	return block;
}

static struct arena_block *block_for(struct arena *arena, size_t size)
{
	struct arena_block *head = arena->head, *block;

	if (head && head->size - head->used >= size)
		return head;
	block = block_new(size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE);
	if (head && block->size != BLOCK_SIZE) { /* keep cutting from the block that has room */
		block->next = head->next;
		head->next = block;
	} else {
		block->next = head;
		arena->head = block;
	}
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block;
	void *data;

	if (size > SIZE_MAX / 4)
		out_of_memory();
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	block = block_for(arena, size);
	data = block->data + block->used;
	block->used += size;
	return memset(data, 0, size);
}

char *arena_memdup(struct arena *arena, const void *data, size_t size)
{
	char *copy = arena_alloc(arena, size + 1);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text ? arena_memdup(arena, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	char small[256], *text;
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (len < 0)
		out_of_memory();
	text = arena_alloc(arena, (size_t)len + 1);
	if ((size_t)len < sizeof(small))
		memcpy(text, small, (size_t)len);
	else
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}

void arena_free(struct arena *arena)
{
	struct arena_block *next;

	if (!arena)
		return;
	for (struct arena_block *block = arena->head; block; block = next) {
		next = block->next;
		free(block);
	}
	arena->head = NULL;
}

void memory_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* Capacity is implied: the array moves whenever n reaches a power of two, so it needs no member of its own. */
void *list_grow(struct arena *arena, void *list, size_t item_size)
{
	struct list any;
	char *items;

	memcpy(&any, list, sizeof(any));
	if (any.n >= SIZE_MAX / 4 / (item_size ? item_size : 1))
		out_of_memory();
	if ((any.n & (any.n - 1)) == 0) {
		items = arena_alloc(arena, (any.n ? 2 * any.n : 1) * item_size);
		if (any.n)
			memcpy(items, any.items, any.n * item_size);
		any.items = items;
	}
	items = (char *)any.items + any.n * item_size;
	memset(items, 0, item_size);
	any.n++;
	memcpy(list, &any, sizeof(any));
	return items;
}
