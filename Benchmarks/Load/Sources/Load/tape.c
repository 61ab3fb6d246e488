#include "load/tape.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define OPCODE_TEXT 1
#define OPCODE_BINARY 2
#define FIN 0x80
#define RSV1 0x40
#define MASK 0x80
#define KEY_SIZE 4
#define MOST_HEADER 14

/* A ring is small enough to stay in a core's cache; a compressed one is longer than DEFLATE's window of 32 KiB, or
 * every message would be found in it. */
#define RING_BYTES (UINT64_C(128) << 10)
#define MOST_MESSAGES 256

/* Writes a frame's header up to the masking key (RFC 6455 §5.2); returns its size. */
static size_t put_header(uint8_t *out, uint8_t first, uint8_t mask, uint64_t len)
{
    out[0] = first;
    if (len < 126) {
        out[1] = (uint8_t)(mask | len);
        return 2;
    }
    size_t bytes = len < 65536 ? 2 : 8;
    out[1] = mask | (bytes == 2 ? 126 : 127);
    for (size_t i = 0; i < bytes; i++)
        out[2 + i] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

/* Compresses a message by itself, without the four bytes that RFC 7692 §7.2.1 leaves out; returns its length. */
static size_t compress_message(z_stream *stream, uint8_t *out, size_t capacity, const uint8_t *data, size_t len)
{
    deflateReset(stream);
    stream->next_in = (uint8_t *)(uintptr_t)data;
    stream->avail_in = (uInt)len;
    stream->next_out = out;
    stream->avail_out = (uInt)capacity;
    deflate(stream, Z_SYNC_FLUSH);
    return capacity - stream->avail_out - 4;
}

static size_t put_masked(uint8_t *out, uint8_t first, const uint8_t *data, size_t len, uint32_t key)
{
    size_t header = put_header(out, first, MASK, len);
    memcpy(out + header, &key, KEY_SIZE);
    uint8_t *payload = out + header + KEY_SIZE;
    for (size_t i = 0; i < len; i++)
        payload[i] = data[i] ^ out[header + i % KEY_SIZE];
    return header + KEY_SIZE + len;
}

/* What a message says. For Socket.IO it is an event whose argument is text that JSON need not escape. */
static void fill(const load_options *options, uint8_t *data, size_t len, uint64_t seed)
{
    const char *begin = "", *end = "";
    if (options->is_socketio) {
        begin = options->mode == LOAD_MODE_FANOUT ? "42[\"broadcast\",\"" : "42[\"message\",\"";
        end = "\"]";
    }
    size_t begin_len = strlen(begin), end_len = strlen(end);
    memcpy(data, begin, begin_len);
    load_payload_fill(data + begin_len, len - begin_len - end_len, options->content, seed);
    memcpy(data + len - end_len, end, end_len);
}

static size_t ring_size(const load_options *options)
{
    size_t count = MOST_MESSAGES;
    while (count > 2 && count * options->size > RING_BYTES)
        count /= 2;
    return count;
}

static void make_heard(load_tape *tape, const load_options *options)
{
    for (size_t i = 0; i < tape->count; i++) {
        uint8_t *frame = tape->heard + i * tape->heard_len;
        put_header(frame, FIN | tape->opcode, 0, tape->payload);
        fill(options, frame + tape->header, tape->payload, i);
    }
}

static bool make_sent(load_tape *tape)
{
    size_t capacity = tape->payload + tape->payload / 1000 + 64; /* at least deflateBound's, and the flush */
    uint8_t *compressed = malloc(capacity);
    z_stream stream = {0};
    if (compressed == NULL || deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(compressed);
        return false;
    }
    size_t end = 0;
    for (size_t i = 0; i < tape->count + tape->run; i++) {
        const uint8_t *payload = load_tape_payload(tape, i % tape->count);
        size_t len = tape->payload;
        uint8_t first = FIN | tape->opcode;
        if (tape->is_compressed) {
            len = compress_message(&stream, compressed, capacity, payload, len);
            payload = compressed;
            first |= RSV1;
        }
        /* Any key will do against a server that is ours to load, but one with four different bytes, none 0. */
        uint32_t key = UINT32_C(0x3d21fa37) ^ (uint32_t)(i % tape->count) << 25;
        end += put_masked(tape->sent + end, first, payload, len, key);
        tape->sent_end[i] = end;
    }
    deflateEnd(&stream);
    free(compressed);
    return true;
}

bool load_tape_init(load_tape *tape, const load_options *options)
{
    uint8_t header[MOST_HEADER];
    *tape = (load_tape){
        .count = ring_size(options),
        .payload = options->size,
        .opcode = options->content == LOAD_CONTENT_BINARY ? OPCODE_BINARY : OPCODE_TEXT,
        .is_compressed = options->is_deflate,
    };
    tape->run = options->depth < tape->count ? options->depth : tape->count;
    tape->header = put_header(header, 0, 0, tape->payload);
    tape->heard_len = tape->header + tape->payload;
    size_t frames = tape->count + tape->run, frame = tape->payload + tape->payload / 1000 + 64 + MOST_HEADER;
    tape->sent = malloc(frames * frame);
    tape->sent_end = calloc(frames, sizeof *tape->sent_end);
    tape->heard = malloc(tape->count * tape->heard_len);
    if (tape->sent == NULL || tape->sent_end == NULL || tape->heard == NULL) {
        load_tape_deinit(tape);
        return false;
    }
    make_heard(tape, options);
    if (!make_sent(tape)) {
        load_tape_deinit(tape);
        return false;
    }
    return true;
}

void load_tape_deinit(load_tape *tape)
{
    free(tape->sent);
    free(tape->sent_end);
    free(tape->heard);
    *tape = (load_tape){0};
}
