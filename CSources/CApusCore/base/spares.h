/* The large blocks that a thread keeps, for alloc.c. */
#ifndef APUS_BASE_SPARES_H
#define APUS_BASE_SPARES_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes that a block of the heap has room for. */
size_t apus__block_size(const void *memory);

/* A block of at least `size` bytes, and of no more than twice that; NULL where none is kept. */
void *apus__spares_take(size_t size);

/* Whether a block is such a one for `size` bytes. False in a thread that keeps none. */
bool apus__spares_fits(const void *memory, size_t size);

/* Keeps a block that would be freed, in the place of older ones where there is no room; false where it is to be freed:
 * NULL, small, or more than may be kept at all. */
bool apus__spares_put(void *memory);

#endif
