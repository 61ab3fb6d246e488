/* What the targets that fuzz heads share: writing a head back, and comparing two. */
#ifndef APUS_FUZZ_HEADS_H
#define APUS_FUZZ_HEADS_H

#include "apus/head.h"

#include "require.h"

static inline bool is_same(apus_text one, apus_text other)
{
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

static inline void append(apus_bytes *out, apus_text text)
{
    require(apus_bytes_append(out, text.data, text.len) == APUS_OK, "there is memory to append");
}

/* Writes `head` as a request again, with what the core offers for it. */
static inline void write_back(apus_bytes *out, const apus_head *head)
{
    append(out, head->method);
    append(out, (apus_text){" ", 1});
    append(out, head->target);
    append(out, head->minor_version == 1 ? (apus_text){" HTTP/1.1\r\n", 11} : (apus_text){" HTTP/1.0\r\n", 11});
    for (size_t i = 0; i < head->field_count; i++) {
        const apus_field *field = &head->fields[i];
        require(apus_head_write_field(out, field->name, field->value) == APUS_OK, "a field read can be written");
    }
    append(out, (apus_text){"\r\n", 2});
}

#endif
