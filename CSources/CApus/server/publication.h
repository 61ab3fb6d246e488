/* What a topic needs of a publication. */
#ifndef APUS_SERVER_PUBLICATION_H
#define APUS_SERVER_PUBLICATION_H

#include "apus/buffer.h"
#include "apus/publication.h"
#include "server/connection.h"

/* Keeps a message's frame, retaining it, and a copy of its payload. One reference; NULL when memory is out. */
apus_publication *apus__publication_new(apus_buffer *frame, apus_opcode opcode, const uint8_t *data, size_t len);

/* The bytes that each connection gets, uncompressed. */
size_t apus__publication_len(const apus_publication *publication);

/* The memory that it takes, without what is compressed later. */
size_t apus__publication_memory(const apus_publication *publication);

#endif
