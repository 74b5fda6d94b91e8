/* Objects from files, folders and standard input into a world. */
#ifndef POLICY_INPUT_H
#define POLICY_INPUT_H

#include "policy/object.h"

#define INPUT_SIZE_MAX ((size_t)512 << 20)

/* A path: a file, "-" for standard input, or a folder, whose files named .json, .yaml and .yml are read in order. What
 * is wrong with an object goes to the reader's report; an error is a file that cannot be read. */
int input_read(const char *path, struct reader *reader, struct error *err) must_check;
/* The files that a path stands for: itself, or those of a folder. */
typedef LIST(const char *) input_files_t;
int input_files(const char *path, struct arena *arena, input_files_t *files,
		struct error *err) must_check;
int input_parse(const char *text, size_t size, struct reader *reader, struct error *err) must_check;

#endif
