/* A published message on its way to subscribers of which some have agreed on permessage-deflate: it is compressed at
 * most once for each size of window, whatever the number of subscribers and loops. */
#ifndef APUS_PUBLICATION_H
#define APUS_PUBLICATION_H

#include "apus/buffer.h"
#include "server/connection.h"

typedef struct apus_publication apus_publication;

/* Keeps the message's frame, retaining it, and a copy of its payload. One reference; NULL when memory is out.
 * Retaining, releasing and finding are for any thread. */
apus_publication *apus__publication_new(apus_buffer *frame, apus_opcode opcode, const uint8_t *data, size_t len);

apus_publication *apus__publication_retain(apus_publication *publication);
void apus__publication_release(apus_publication *publication);

/* The frame to send to this connection, now, on its loop: compressed or as it is. Borrowed from the publication. */
apus_buffer *apus__publication_frame(apus_publication *publication, apus_connection *connection);

#endif
