/* What is known of a terminal, and text laid out for one. */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stdio.h>

/* Its columns; 0 when out is none, or it does not tell. */
size_t terminal_columns(FILE *out);

/* Columns that the first size bytes take: continuation bytes of UTF-8 take none. */
size_t text_columns(const char *text, size_t size);

/* How many bytes of text go into a line of that many columns; text moves on to what comes next, "" = nothing. Lines break at
 * blanks; a longer word stays whole, so that it can be copied. */
size_t text_line(const char **text, size_t columns);

#endif
