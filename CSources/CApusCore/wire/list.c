/* A list is read field by field, and within a field from comma to comma. */
#include "wire/list.h"

#include <string.h>

#include "wire/text.h"

void apus__list_init(apus__list *list, const apus_head *head, const char *name)
{
    *list = (apus__list){.head = head, .name = name, .field = apus__head_find_from(head, 0, name)};
}

/* Takes what stands before the next comma of the present field, or the field's rest. */
static apus_text take_piece(apus__list *list, apus_text value)
{
    const char *start = value.data + list->at;
    const char *comma = memchr(start, ',', value.len - list->at);
    size_t len = comma != NULL ? (size_t)(comma - start) : value.len - list->at;
    list->at += len;
    if (comma != NULL) {
        list->at++;
        return (apus_text){start, len};
    }
    list->field = apus__head_find_from(list->head, list->field + 1, list->name);
    list->at = 0;
    return (apus_text){start, len};
}

bool apus__list_next(apus__list *list, apus_text *element)
{
    while (list->field < list->head->field_count) {
        *element = apus__text_trim(take_piece(list, list->head->fields[list->field].value));
        if (element->len > 0)
            return true;
    }
    return false;
}
