/* The two forms of the PROXY protocol's header are told apart by their first byte. */
#include "apus/proxy.h"

#include <stdbool.h>
#include <string.h>

#include "wire/text.h"

/* Version 1 (§2.1): the longest line, its CRLF included. */
#define MOST_LINE 107

/* Version 2 (§2.2): the signature, a byte each for version with command and for family with transport, the length. */
#define SIGNATURE_SIZE 12
#define FIXED_SIZE 16
#define UNIX_PATH_SIZE 108

static const uint8_t signature[SIGNATURE_SIZE] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* Takes what stands before the next space, or the rest. */
static apus_text take_word(apus_text *line)
{
    const char *space = line->len == 0 ? NULL : memchr(line->data, ' ', line->len);
    size_t len = space == NULL ? line->len : (size_t)(space - line->data);
    apus_text word = apus__text_slice(*line, 0, len);
    *line = apus__text_slice(*line, space == NULL ? len : len + 1, line->len);
    return word;
}

/* 0 to 65535 without leading zeros. */
static bool read_port(apus_text text, uint16_t *out)
{
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.data[0] == '0') ||
        apus__text_count(text, 0, APUS__CLASS_DIGIT) != text.len)
        return false;
    uint32_t value = 0;
    for (size_t i = 0; i < text.len; i++)
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    *out = (uint16_t)value;
    return value <= UINT16_MAX;
}

static bool read_address(apus_text text, bool is_v6, apus_ip *out)
{
    bool has_colon = text.len != 0 && memchr(text.data, ':', text.len) != NULL;
    return has_colon == is_v6 && apus_ip_parse(out, text);
}

/* What stands between "PROXY " and the line's end. */
static bool read_line(apus_proxy_header *out, apus_text line)
{
    apus_text protocol = take_word(&line);
    if (apus__text_is_same(protocol, APUS__TEXT("UNKNOWN"))) {
        out->kind = APUS_PROXY_UNKNOWN;
        return true;
    }
    bool is_v6 = apus__text_is_same(protocol, APUS__TEXT("TCP6"));
    if (!is_v6 && !apus__text_is_same(protocol, APUS__TEXT("TCP4")))
        return false;
    out->kind = APUS_PROXY_IP;
    /* The last word is the line's rest, so a space behind it is part of a port that is none. */
    if (!read_address(take_word(&line), is_v6, &out->source) ||
        !read_address(take_word(&line), is_v6, &out->destination) || !read_port(take_word(&line), &out->source_port))
        return false;
    return read_port(line, &out->destination_port);
}

static ptrdiff_t read_text(apus_proxy_header *out, const uint8_t *data, size_t len)
{
    static const char start[] = "PROXY ";
    size_t start_len = sizeof start - 1;
    if (memcmp(data, start, len < start_len ? len : start_len) != 0)
        return APUS_EPROXY;
    size_t most = len < MOST_LINE ? len : MOST_LINE;
    size_t end = start_len;
    while (end < most && (data[end] == ' ' || apus__is(data[end], APUS__CLASS_VISIBLE)))
        end++;
    if (end >= most)
        return len < MOST_LINE ? 0 : APUS_EPROXY;
    if (data[end] != '\r' || end + 1 == MOST_LINE || (end + 1 < len && data[end + 1] != '\n'))
        return APUS_EPROXY;
    if (end + 1 == len)
        return 0;
    apus_text line = {(const char *)data + start_len, end - start_len};
    return read_line(out, line) ? (ptrdiff_t)(end + 2) : APUS_EPROXY;
}

static uint16_t read_16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

/* TLVs (§2.2.x): a type, a length of two bytes, a value; one after the other to the very end. */
static bool are_tlvs(const uint8_t *data, size_t len)
{
    while (len >= 3 && len - 3 >= read_16(data + 1)) {
        size_t size = 3 + (size_t)read_16(data + 1);
        data += size;
        len -= size;
    }
    return len == 0;
}

static void read_v4(apus_proxy_header *out, const uint8_t *data)
{
    out->kind = APUS_PROXY_IP;
    out->source = apus_ip_from_v4(data);
    out->destination = apus_ip_from_v4(data + 4);
    out->source_port = read_16(data + 8);
    out->destination_port = read_16(data + 10);
}

static void read_v6(apus_proxy_header *out, const uint8_t *data)
{
    out->kind = APUS_PROXY_IP;
    memcpy(out->source.bytes, data, 16);
    memcpy(out->destination.bytes, data + 16, 16);
    out->source_port = read_16(data + 32);
    out->destination_port = read_16(data + 34);
}

static void read_unix(apus_proxy_header *out, const uint8_t *data)
{
    const uint8_t *end = memchr(data, 0, UNIX_PATH_SIZE);
    size_t len = end == NULL ? UNIX_PATH_SIZE : (size_t)(end - data);
    out->kind = APUS_PROXY_UNIX;
    out->source_path = (apus_text){(const char *)data, len};
}

/* Family with transport, how many bytes their addresses take, and who reads them. Only streams come over a stream. */
static const struct family {
    uint8_t code;
    uint8_t size;
    void (*read)(apus_proxy_header *out, const uint8_t *data);
} families[] = {
    {0x11, 12, read_v4},
    {0x21, 36, read_v6},
    {0x31, 2 * UNIX_PATH_SIZE, read_unix},
};

static const struct family *find_family(uint8_t code)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (families[i].code == code)
            return &families[i];
    }
    return NULL;
}

/* Whether the fixed part can be of a header: version 2, LOCAL or PROXY, a family that is known or none, and a length
 * that fits it. */
static bool is_fixed_part(const uint8_t *data, size_t len)
{
    if (memcmp(data, signature, len < SIGNATURE_SIZE ? len : SIGNATURE_SIZE) != 0)
        return false;
    if (len > 12 && data[12] != 0x20 && data[12] != 0x21)
        return false;
    bool is_local = len > 12 && data[12] == 0x20;
    const struct family *family = len > 13 ? find_family(data[13]) : NULL;
    if (len > 13 && !is_local && family == NULL && data[13] != 0)
        return false;
    if (len < FIXED_SIZE)
        return true;
    size_t rest = read_16(data + 14);
    return FIXED_SIZE + rest <= APUS_PROXY_MOST_SIZE && (is_local || family == NULL || rest >= family->size);
}

static ptrdiff_t read_binary(apus_proxy_header *out, const uint8_t *data, size_t len)
{
    if (!is_fixed_part(data, len))
        return APUS_EPROXY;
    if (len < FIXED_SIZE)
        return 0;
    size_t size = FIXED_SIZE + (size_t)read_16(data + 14);
    if (len < size)
        return 0;
    out->kind = data[12] == 0x20 ? APUS_PROXY_LOCAL : APUS_PROXY_UNKNOWN;
    const struct family *family = find_family(data[13]);
    if (data[12] == 0x20 || family == NULL)
        return (ptrdiff_t)size;
    family->read(out, data + FIXED_SIZE);
    size_t end = FIXED_SIZE + family->size;
    return are_tlvs(data + end, size - end) ? (ptrdiff_t)size : APUS_EPROXY;
}

ptrdiff_t apus_proxy_read(apus_proxy_header *out, const uint8_t *data, size_t len)
{
    *out = (apus_proxy_header){.kind = APUS_PROXY_LOCAL, .source_path = APUS__TEXT("")};
    if (len == 0)
        return 0;
    return data[0] == 'P' ? read_text(out, data, len) : read_binary(out, data, len);
}
