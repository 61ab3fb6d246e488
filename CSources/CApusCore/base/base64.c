/* Base64 with the standard alphabet (RFC 4648 §4), three bytes to four characters. */
#include "apus/base64.h"

#include "apus/error.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits that `character` stands for, or -1. */
static int value_of(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '+')
        return 62;
    return character == '/' ? 63 : -1;
}

/* Writes the four characters of one to three bytes. */
static void encode_group(const uint8_t *data, size_t len, char text[4])
{
    uint32_t bits = (uint32_t)data[0] << 16;
    if (len > 1)
        bits |= (uint32_t)data[1] << 8;
    if (len > 2)
        bits |= data[2];
    text[0] = alphabet[bits >> 18];
    text[1] = alphabet[bits >> 12 & 63];
    text[2] = len > 1 ? alphabet[bits >> 6 & 63] : '=';
    text[3] = len > 2 ? alphabet[bits & 63] : '=';
}

size_t apus_base64_encode(const uint8_t *data, size_t len, char *text)
{
    size_t written = 0;
    for (size_t at = 0; at < len; at += 3, written += 4)
        encode_group(data + at, len - at, text + written);
    return written;
}

/* Gathers the bits of four characters, of which the last `padding` are '='; -1 where one is not of the alphabet. */
static int32_t gather_bits(const char text[4], size_t padding)
{
    int32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(text[i]) : 0;
        if (value < 0)
            return -1;
        bits = bits << 6 | value;
    }
    return bits;
}

/* The number of '=' at the end: at most two, and whatever stands before them must be of the alphabet. */
static size_t count_padding(const char *text, size_t text_len)
{
    if (text_len == 0 || text[text_len - 1] != '=')
        return 0;
    return text[text_len - 2] == '=' ? 2 : 1;
}

ptrdiff_t apus_base64_decode(const char *text, size_t text_len, uint8_t *data, size_t capacity)
{
    if (text_len % 4 != 0)
        return APUS_EINVAL;
    size_t all_padding = count_padding(text, text_len);
    if (text_len / 4 * 3 - all_padding > capacity)
        return APUS_EINVAL;

    size_t written = 0;
    for (size_t at = 0; at < text_len; at += 4) {
        size_t padding = at + 4 == text_len ? all_padding : 0;
        int32_t bits = gather_bits(text + at, padding);
        /* Bits that no byte takes must be zero, or one value would have several spellings (RFC 4648 §3.5). */
        if (bits < 0 || (bits & ((1 << 8 * padding) - 1)) != 0)
            return APUS_EINVAL;
        for (size_t i = 0; i < 3 - padding; i++)
            data[written++] = (uint8_t)(bits >> (16 - 8 * i));
    }
    return (ptrdiff_t)written;
}
