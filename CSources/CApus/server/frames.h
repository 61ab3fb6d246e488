/* Whole messages as frames in a shared buffer, for topics. */
#ifndef APUS_SERVER_FRAMES_H
#define APUS_SERVER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/buffer.h"
#include "apus/connection.h"
#include "apus/frame.h"

/* A message as a server sends it: one frame, or, where it is large, fragments with control frames' room in between
 * (RFC 6455 §5.4), of which the first says whether it is compressed. NULL when memory is out. */
apus_buffer *apus__frames_new(apus_opcode opcode, bool rsv1, const uint8_t *data, size_t len);

/* The same for messages that follow one another, none of them compressed. */
apus_buffer *apus__frames_new_all(const apus_outgoing *messages, size_t count);

#endif
