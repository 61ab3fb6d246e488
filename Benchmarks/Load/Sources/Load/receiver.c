#include "load/receiver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIN 0x80
#define RSV1 0x40
#define RSV2_RSV3 0x30
#define MASK 0x80
#define INFLATED 16384

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

load_receiver *load_receiver_new(bool is_compressed, bool is_resetting)
{
    load_receiver *receiver = calloc(1, sizeof *receiver);
    if (receiver == NULL || !is_compressed)
        return receiver;
    receiver->is_resetting = is_resetting;
    receiver->is_inflating = inflateInit2(&receiver->inflate, -15) == Z_OK;
    if (!receiver->is_inflating) {
        free(receiver);
        return NULL;
    }
    return receiver;
}

void load_receiver_free(load_receiver *receiver)
{
    if (receiver == NULL)
        return;
    if (receiver->is_inflating)
        inflateEnd(&receiver->inflate);
    free(receiver);
}

static int64_t fault(char *error, const char *words)
{
    snprintf(error, LOAD_ERROR_SIZE, "%s", words);
    return -1;
}

static size_t header_size(const load_receiver *receiver)
{
    if (receiver->header_len < 2)
        return 2;
    uint8_t len = receiver->header[1] & 0x7f;
    return len == 127 ? 10 : len == 126 ? 4 : 2;
}

static int64_t begin_data(load_receiver *receiver, const load_tape *tape, uint8_t first, char *error)
{
    if (receiver->is_in_message)
        return receiver->opcode == CONTINUATION && !(first & RSV1)
                   ? 0
                   : fault(error, "a message began before the one before it had ended");
    if (receiver->opcode != tape->opcode)
        return fault(error, "the message has another opcode than the one that was sent");
    if (first & RSV1 && !receiver->is_inflating)
        return fault(error, "RSV1 is set though no extension was agreed on");
    receiver->is_in_message = true;
    receiver->is_message_compressed = first & RSV1;
    receiver->message = 0;
    return 0;
}

/* Reads the header that has come whole. */
static int64_t begin_frame(load_receiver *receiver, const load_tape *tape, char *error)
{
    const uint8_t *header = receiver->header;
    size_t size = receiver->header_len;
    receiver->opcode = header[0] & 0x0f;
    receiver->is_final = header[0] & FIN;
    receiver->left = header[1] & 0x7f;
    if (size > 2) {
        receiver->left = 0;
        for (size_t i = 2; i < size; i++)
            receiver->left = receiver->left << 8 | header[i];
    }
    receiver->header_len = 0;
    receiver->is_in_frame = true;
    if (header[1] & MASK)
        return fault(error, "the server masked a frame");
    if (header[0] & RSV2_RSV3)
        return fault(error, "RSV2 or RSV3 is set");
    if (receiver->opcode < CLOSE)
        return begin_data(receiver, tape, header[0], error);
    receiver->control_len = 0;
    if (!receiver->is_final || receiver->left > LOAD_MOST_CONTROL || header[0] & RSV1 || receiver->opcode > PONG)
        return fault(error, "a control frame is in fragments, too long, compressed, or of no known kind");
    return 0;
}

/* Compares a piece of a message with what was sent. */
static int64_t compare(load_receiver *receiver, const load_tape *tape, uint64_t message, const uint8_t *data,
                       size_t len, char *error)
{
    const uint8_t *expected = load_tape_payload(tape, message & (tape->count - 1));
    if (len > tape->payload - receiver->message) {
        snprintf(error, LOAD_ERROR_SIZE, "it is longer than the %zu bytes that were sent", tape->payload);
        return -1;
    }
    expected += receiver->message;
    if (memcmp(data, expected, len) != 0) {
        size_t at = 0;
        while (data[at] == expected[at])
            at++;
        snprintf(error, LOAD_ERROR_SIZE, "byte %zu is 0x%02x, but 0x%02x was sent", (size_t)receiver->message + at,
                 data[at], expected[at]);
        return -1;
    }
    receiver->message += len;
    return 0;
}

static int64_t inflate_piece(load_receiver *receiver, const load_tape *tape, uint64_t message, const uint8_t *data,
                             size_t len, char *error)
{
    uint8_t out[INFLATED];
    z_stream *stream = &receiver->inflate;
    stream->next_in = (uint8_t *)(uintptr_t)data;
    stream->avail_in = (uInt)len;
    do {
        stream->next_out = out;
        stream->avail_out = sizeof out;
        int status = inflate(stream, Z_SYNC_FLUSH);
        if (status != Z_OK && status != Z_BUF_ERROR)
            return fault(error, "it cannot be inflated");
        if (compare(receiver, tape, message, out, sizeof out - stream->avail_out, error) < 0)
            return -1;
    } while (stream->avail_in > 0 || stream->avail_out == 0);
    return 0;
}

static int64_t take_data(load_receiver *receiver, const load_tape *tape, uint64_t message, const uint8_t *data,
                         size_t len, char *error)
{
    return receiver->is_message_compressed ? inflate_piece(receiver, tape, message, data, len, error)
                                           : compare(receiver, tape, message, data, len, error);
}

/* Ends a message: 1, or -1 where it is short. */
static int64_t end_message(load_receiver *receiver, const load_tape *tape, uint64_t message, char *error)
{
    static const uint8_t tail[] = {0, 0, 0xff, 0xff}; /* RFC 7692 §7.2.2 */
    if (receiver->is_message_compressed) {
        if (inflate_piece(receiver, tape, message, tail, sizeof tail, error) < 0)
            return -1;
        if (receiver->is_resetting)
            inflateReset(&receiver->inflate);
    }
    receiver->is_in_message = false;
    if (receiver->message == tape->payload)
        return 1;
    snprintf(error, LOAD_ERROR_SIZE, "it has %llu bytes, but %zu were sent", (unsigned long long)receiver->message,
             tape->payload);
    return -1;
}

static void make_pong(load_receiver *receiver)
{
    if (receiver->pong_sent != 0)
        return; /* one is half sent; a later ping may go without an answer of its own (RFC 6455 §5.5.3) */
    receiver->pong[0] = FIN | PONG;
    receiver->pong[1] = (uint8_t)(MASK | receiver->control_len);
    memset(receiver->pong + 2, 0, 4); /* a key of zeros leaves the bytes as they are */
    memcpy(receiver->pong + 6, receiver->control, receiver->control_len);
    receiver->pong_len = 6 + receiver->control_len;
}

static int64_t end_control(load_receiver *receiver, char *error)
{
    if (receiver->opcode == PING)
        make_pong(receiver);
    if (receiver->opcode != CLOSE)
        return 0;
    if (receiver->control_len < 2)
        return fault(error, "the server closed without a status code");
    snprintf(error, LOAD_ERROR_SIZE, "the server closed with %d %.*s", receiver->control[0] << 8 | receiver->control[1],
             (int)receiver->control_len - 2, (const char *)receiver->control + 2);
    return -1;
}

/* Ends a frame: 1 where a message ended with it, 0 where none did, -1. */
static int64_t end_frame(load_receiver *receiver, const load_tape *tape, uint64_t message, char *error)
{
    receiver->is_in_frame = false;
    if (receiver->opcode >= CLOSE)
        return end_control(receiver, error);
    return receiver->is_final ? end_message(receiver, tape, message, error) : 0;
}

/* Takes bytes of the frame's payload; returns as end_frame does. */
static int64_t take_payload(load_receiver *receiver, const load_tape *tape, uint64_t message, const uint8_t *data,
                            size_t len, char *error)
{
    receiver->left -= len;
    if (receiver->opcode >= CLOSE) {
        memcpy(receiver->control + receiver->control_len, data, len);
        receiver->control_len += len;
    } else if (take_data(receiver, tape, message, data, len, error) < 0) {
        return -1;
    }
    return receiver->left == 0 ? end_frame(receiver, tape, message, error) : 0;
}

int64_t load_receiver_take(load_receiver *receiver, const load_tape *tape, uint64_t *message, const uint8_t *data,
                           size_t len, char error[LOAD_ERROR_SIZE])
{
    int64_t complete = 0;
    for (size_t i = 0; i < len;) {
        size_t size = 0;
        if (!receiver->is_in_frame) {
            receiver->header[receiver->header_len++] = data[i++];
            if (receiver->header_len < 2 || receiver->header_len < header_size(receiver))
                continue;
            if (begin_frame(receiver, tape, error) < 0)
                return -1;
            if (receiver->left != 0)
                continue;
        } else {
            size = len - i < receiver->left ? len - i : (size_t)receiver->left;
        }
        int64_t ended = take_payload(receiver, tape, *message, data + i, size, error);
        if (ended < 0)
            return -1;
        i += size;
        complete += ended;
        *message += (uint64_t)ended;
    }
    return complete;
}
