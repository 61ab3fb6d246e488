/* Texts of a head, and the classes of bytes that RFC 9110 and RFC 3986 build them from. */
#ifndef APUS_WIRE_TEXT_H
#define APUS_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/head.h"

APUS_ASSUME_NONNULL_BEGIN

/* What a byte may be part of; one byte is of several classes. */
enum {
    APUS__CLASS_TOKEN = 1 << 0,   /* tchar, RFC 9110 §5.6.2 */
    APUS__CLASS_VISIBLE = 1 << 1, /* VCHAR, RFC 5234 §B.1 */
    APUS__CLASS_FIELD = 1 << 2,   /* SP, HTAB, VCHAR and obs-text: all of a line before its CR, RFC 9110 §5.5 */
    APUS__CLASS_HOST = 1 << 3,    /* unreserved and sub-delims of a reg-name, RFC 3986 §3.2.2 */
    APUS__CLASS_ALPHA = 1 << 4,
    APUS__CLASS_DIGIT = 1 << 5,
    APUS__CLASS_HEX = 1 << 6,
};

/* The text of a string literal. */
#define APUS__TEXT(literal) ((apus_text){literal, sizeof(literal) - 1})

extern const uint8_t apus__classes[256];

static inline bool apus__is(uint8_t byte, unsigned classes)
{
    return (apus__classes[byte] & classes) != 0;
}

static inline bool apus__is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static inline uint8_t apus__to_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* The value of a digit of the class HEX. */
static inline uint8_t apus__hex_value(uint8_t digit)
{
    return apus__is(digit, APUS__CLASS_DIGIT) ? digit - '0' : apus__to_lower(digit) - 'a' + 10;
}

/* How many of the `len` bytes at `data`, from the first on, are of the class FIELD. */
size_t apus__count_field_bytes(const uint8_t *data, size_t len);

/* How many bytes of `text`, from `start` on, are of `classes`. */
size_t apus__text_count(apus_text text, size_t start, unsigned classes);

/* Whether `text` is a token: one byte or more, all tchar. */
bool apus__text_is_token(apus_text text);

/* `text` without the spaces and tabs at its ends (OWS, RFC 9110 §5.6.3). */
apus_text apus__text_trim(apus_text text);

/* The part of `text` from `start` up to, without, `end`. */
apus_text apus__text_slice(apus_text text, size_t start, size_t end);

/* Whether two texts are the same bytes. */
bool apus__text_is_same(apus_text one, apus_text other);

/* Whether two texts are equal but for the case of ASCII letters. */
bool apus__text_is_same_in_any_case(apus_text one, apus_text other);

APUS_ASSUME_NONNULL_END

#endif
