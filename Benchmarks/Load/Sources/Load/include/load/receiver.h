/* The long way of what comes back: frames taken apart, for messages that are compressed, in fragments, or mixed with
 * control frames. Compares each message with the one that was sent. */
#ifndef LOAD_RECEIVER_H
#define LOAD_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "load/tape.h"

#define LOAD_MOST_CONTROL 125

typedef struct load_receiver {
    uint8_t header[10]; /* of the frame that is coming */
    size_t header_len;
    bool is_in_frame;
    bool is_in_message; /* between the first frame of a message and its end */
    bool is_message_compressed;
    uint8_t opcode; /* of the frame */
    bool is_final;
    uint64_t left;    /* bytes of the frame's payload to come */
    uint64_t message; /* bytes of the message so far, inflated */
    uint8_t control[LOAD_MOST_CONTROL];
    size_t control_len;
    uint8_t pong[LOAD_MOST_CONTROL + 6]; /* to be sent, as a masked frame */
    size_t pong_len, pong_sent;
    bool is_inflating, is_resetting; /* the server promised server_no_context_takeover */
    z_stream inflate;
} load_receiver;

/* Returns NULL where there is no memory. */
load_receiver *load_receiver_new(bool is_compressed, bool is_resetting);
void load_receiver_free(load_receiver *receiver);

/* Takes bytes that came; `message` is the ring's number of the one expected next, and goes on with each that is
 * complete. Returns how many were, or -1 with what is wrong in `error`. */
int64_t load_receiver_take(load_receiver *receiver, const load_tape *tape, uint64_t *message, const uint8_t *data,
                           size_t len, char error[LOAD_ERROR_SIZE]);

/* Whether the next byte begins a message. */
static inline bool load_receiver_is_between(const load_receiver *receiver)
{
    return !receiver->is_in_frame && !receiver->is_in_message && receiver->header_len == 0;
}

#endif
