/* The grammar of Sec-WebSocket-Extensions (RFC 6455 §9.1), over all fields of that name:
 *
 *     extension-list  = 1#extension
 *     extension       = extension-token *( ";" extension-param )
 *     extension-param = token [ "=" (token | quoted-string) ]     what is quoted must be a token all the same */
#ifndef APUS_WIRE_EXTENSION_READER_H
#define APUS_WIRE_EXTENSION_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "apus/head.h"

APUS_ASSUME_NONNULL_BEGIN

/* Characters of a value that are kept: one more than any that has a meaning here. */
#define APUS__EXTENSION_VALUE_SIZE 3

typedef struct apus__extension_reader {
    const apus_head *head;
    size_t field; /* index of the field that is being read */
    size_t at;    /* in its value */
} apus__extension_reader;

typedef struct apus__extension_parameter {
    apus_text name;
    bool has_value;
    size_t value_len; /* of the characters kept */
    char value[APUS__EXTENSION_VALUE_SIZE];
} apus__extension_parameter;

typedef enum apus__extension_result {
    APUS__EXTENSION_FOUND,
    APUS__EXTENSION_END, /* there is no further one */
    APUS__EXTENSION_MALFORMED,
} apus__extension_result;

/* Starts before the first extension; borrows `head`. */
void apus__extension_reader_init(apus__extension_reader *reader, const apus_head *head);

/* Reads the next extension's name, once the parameters of the one before are read. */
apus__extension_result apus__extension_next(apus__extension_reader *reader, apus_text *name);

/* Reads the next parameter of the present extension. */
apus__extension_result apus__extension_next_parameter(apus__extension_reader *reader,
                                                      apus__extension_parameter *parameter);

/* Whether all fields of that name follow the grammar; true without any. An empty field is passed over. */
bool apus__extensions_are_valid(const apus_head *head);

APUS_ASSUME_NONNULL_END

#endif
