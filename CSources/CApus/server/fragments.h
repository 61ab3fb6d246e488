/* A message as the frames in which it is sent. */
#ifndef APUS_SERVER_FRAGMENTS_H
#define APUS_SERVER_FRAGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/frame.h"

typedef struct apus_stream apus_stream;

/* The largest frame that we send. Between two of them a control frame can be sent. */
#define APUS_FRAGMENT_SIZE ((size_t)128 * 1024)

/* One frame of a message. */
typedef struct apus__fragment {
    apus_opcode opcode;
    bool rsv1;
    bool fin;
    const uint8_t *data;
    size_t len;
} apus__fragment;

/* What is still to come of a message; `fin` is that of its last frame, and only the first one says that it is
 * compressed (RFC 7692 §6.1). */
typedef struct apus__fragments {
    apus_opcode opcode;
    bool rsv1;
    bool fin;
    const uint8_t *data;
    size_t len;
} apus__fragments;

/* Takes the next frame, of at most APUS_FRAGMENT_SIZE bytes. */
apus__fragment apus__fragments_next(apus__fragments *rest);

/* Writes a frame's header, as a server sends it; returns its size. */
size_t apus__fragment_encode(const apus__fragment *fragment, uint8_t out[APUS_FRAME_HEADER_SIZE]);

/* The bytes of its frame, header included. */
size_t apus__fragment_size(const apus__fragment *fragment);

/* Offers the next frames to a stream that has nothing queued, all in one call. Takes none of them: returns how many of
 * their bytes, headers included, have left. */
size_t apus__fragments_offer(const apus__fragments *rest, apus_stream *stream);

#endif
