/* The comma-separated lists of RFC 9110 §5.6.1, over all fields of one name, as if they stood in one (§5.2).
 *
 * For lists of tokens: a comma within a quoted string is not known here. */
#ifndef APUS_WIRE_LIST_H
#define APUS_WIRE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "apus/head.h"

APUS_ASSUME_NONNULL_BEGIN

/* The index of the first field of that name (lower case) from `start` on; field_count where there is none. */
size_t apus__head_find_from(const apus_head *head, size_t start, const char *name);

typedef struct apus__list {
    const apus_head *head;
    const char *name;
    size_t field; /* index of the field that is being read */
    size_t at;    /* where in its value the next element starts */
} apus__list;

/* Starts before the first element. `head` and `name` (lower case) are borrowed as long as the list is read. */
void apus__list_init(apus__list *list, const apus_head *head, const char *name);

/* Takes the next element, without the white space around it; empty ones are passed over (§5.6.1.2). False at the
 * end, which leaves `element` without meaning. */
bool apus__list_next(apus__list *list, apus_text *element);

APUS_ASSUME_NONNULL_END

#endif
