#include "load/payload.h"

#include <stdio.h>
#include <string.h>

const char *const load_content_names[LOAD_CONTENT_COUNT] = {
    [LOAD_CONTENT_BINARY] = "binary",     [LOAD_CONTENT_ASCII] = "ascii",     [LOAD_CONTENT_JSON] = "json",
    [LOAD_CONTENT_CYRILLIC] = "cyrillic", [LOAD_CONTENT_CHINESE] = "chinese", [LOAD_CONTENT_EMOJI] = "emoji",
    [LOAD_CONTENT_MIXED] = "mixed",
};

/* xorshift64*: repeatable, and quick to fill megabytes. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

typedef struct writer {
    uint8_t *data;
    size_t len, capacity;
    uint64_t random;
} writer;

/* Writes all or nothing: half a letter would be no UTF-8. Returns false where there is no room. */
static bool put(writer *writer, const char *text, size_t len)
{
    if (writer->capacity - writer->len < len)
        return false;
    memcpy(writer->data + writer->len, text, len);
    writer->len += len;
    return true;
}

static bool put_code_point(writer *writer, uint32_t code_point)
{
    char text[4];
    if (code_point < 0x80) {
        text[0] = (char)code_point;
        return put(writer, text, 1);
    }
    size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code_point >>= 6)
        text[i] = (char)(0x80 | (code_point & 0x3f));
    text[0] = (char)((0xf00 >> len) | code_point);
    return put(writer, text, len);
}

/* One word of letters from `first` on, and a space where the script has them. */
static bool put_word(writer *writer, uint32_t first, uint32_t letters, bool has_space)
{
    for (uint64_t left = 2 + next_random(&writer->random) % 8; left > 0; left--) {
        if (!put_code_point(writer, first + (uint32_t)(next_random(&writer->random) >> 33) % letters))
            return false;
    }
    return !has_space || put(writer, " ", 1);
}

static bool put_json(writer *writer)
{
    static const char *const names[] = {"lobby", "garden", "kitchen", "workshop", "library", "station"};
    static const char *const states[] = {"online", "away", "typing", "offline"};
    char text[192];
    uint64_t random = next_random(&writer->random);
    int len =
        snprintf(text, sizeof text,
                 "{\"id\":%u,\"room\":\"%s\",\"user\":\"user-%u\",\"state\":\"%s\",\"position\":[%u.%02u,%u.%02u]}",
                 (unsigned)(random >> 40), names[random % 6], (unsigned)(random >> 8) % 5000,
                 states[(random >> 24) % 4], (unsigned)(random >> 12) % 640, (unsigned)(random >> 16) % 100,
                 (unsigned)(random >> 20) % 480, (unsigned)(random >> 28) % 100);
    return put(writer, text, (size_t)len) && put(writer, ",", 1);
}

static bool put_some(writer *writer, load_content content)
{
    switch (content) {
    case LOAD_CONTENT_BINARY:
        return put(writer, (const char *)&(uint64_t){next_random(&writer->random)}, 8);
    case LOAD_CONTENT_ASCII:
        return put_word(writer, 'a', 26, true);
    case LOAD_CONTENT_JSON:
        return put_json(writer);
    case LOAD_CONTENT_CYRILLIC:
        return put_word(writer, 0x430, 32, true);
    case LOAD_CONTENT_CHINESE:
        return put_word(writer, 0x4e00, 5000, false);
    case LOAD_CONTENT_EMOJI:
        return put_word(writer, 0x1f600, 64, false);
    case LOAD_CONTENT_MIXED:
        return put_some(writer, LOAD_CONTENT_ASCII + next_random(&writer->random) % 5);
    }
    return false;
}

void load_payload_fill(uint8_t *data, size_t len, load_content content, uint64_t seed)
{
    writer writer = {.data = data, .capacity = len, .random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15)};
    next_random(&writer.random);
    while (put_some(&writer, content)) {
    }
    /* What is left is shorter than what was tried last; a short message of a wide script may be all of this. */
    for (; writer.len < len; writer.len++)
        data[writer.len] = (uint8_t)('a' + (next_random(&writer.random) >> 40) % 26);
}
