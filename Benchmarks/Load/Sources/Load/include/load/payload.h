/* What messages say: bytes, or text of several kinds. */
#ifndef LOAD_PAYLOAD_H
#define LOAD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum load_content {
    LOAD_CONTENT_BINARY,
    LOAD_CONTENT_ASCII,
    LOAD_CONTENT_JSON,
    LOAD_CONTENT_CYRILLIC, /* two bytes a letter, and spaces */
    LOAD_CONTENT_CHINESE,  /* three bytes a letter */
    LOAD_CONTENT_EMOJI,    /* four bytes each */
    LOAD_CONTENT_MIXED,    /* of everything, word by word */
} load_content;

#define LOAD_CONTENT_COUNT (LOAD_CONTENT_MIXED + 1)
extern const char *const load_content_names[LOAD_CONTENT_COUNT];

/* Fills exactly `len` bytes; text is valid UTF-8, filled up with a…z where nothing more of its kind fits. The same
 * `seed` yields the same bytes, and two seeds differ wherever there is room to. */
void load_payload_fill(uint8_t *data, size_t len, load_content content, uint64_t seed);

#endif
