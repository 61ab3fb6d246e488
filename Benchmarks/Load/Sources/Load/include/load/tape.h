/* Messages made before the clock starts: what connections send is a slice of one tape, and what they should hear is a
 * slice of another, so that sending costs no work and checking is one comparison of memory.
 *
 * A tape is a ring of messages that all have the same length; a connection starts at a message of its own. */
#ifndef LOAD_TAPE_H
#define LOAD_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/options.h"

typedef struct load_tape {
    size_t count;     /* messages in the ring, a power of two */
    size_t run;       /* messages that always lie one behind the other from any of the ring on */
    uint8_t *sent;    /* frames as sent, masked: count + run of them */
    size_t *sent_end; /* where the n-th frame ends */
    uint8_t *heard;   /* frames as they should come back, count of them; raw: nothing */
    size_t heard_len; /* of one */
    size_t header;    /* of a frame in `heard` */
    size_t payload;   /* bytes of a message */
    uint8_t opcode;
    bool is_compressed;
} load_tape;

/* Returns false where there is no memory. */
bool load_tape_init(load_tape *tape, const load_options *options);
void load_tape_deinit(load_tape *tape);

static inline size_t load_tape_start(const load_tape *tape, size_t message)
{
    return message == 0 ? 0 : tape->sent_end[message - 1];
}

static inline const uint8_t *load_tape_payload(const load_tape *tape, size_t message)
{
    return tape->heard + message * tape->heard_len + tape->header;
}

#endif
