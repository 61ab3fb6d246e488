/* Asking a head for its fields. Names are few and heads are short, so a search from the start is all it takes. */
#include "apus/head.h"

#include <string.h>

#include "wire/list.h"

size_t apus__head_find_from(const apus_head *head, size_t start, const char *name)
{
    size_t len = strlen(name);
    size_t at = start;
    while (at < head->field_count &&
           (head->fields[at].name.len != len || !apus_text_equals(head->fields[at].name, name)))
        at++;
    return at;
}

const apus_field *apus_head_find(const apus_head *head, const char *name)
{
    size_t at = apus__head_find_from(head, 0, name);
    return at < head->field_count ? &head->fields[at] : NULL;
}

size_t apus_head_count(const apus_head *head, const char *name)
{
    size_t count = 0;
    size_t at = apus__head_find_from(head, 0, name);
    while (at < head->field_count) {
        count++;
        at = apus__head_find_from(head, at + 1, name);
    }
    return count;
}

bool apus_head_has_token(const apus_head *head, const char *name, const char *token)
{
    apus__list list;
    apus_text element;
    apus__list_init(&list, head, name);
    while (apus__list_next(&list, &element))
        if (apus_text_equals(element, token))
            return true;
    return false;
}
