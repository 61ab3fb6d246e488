/* permessage-deflate of one session, either role: what goes out is compressed, what comes in is inflated.
 *
 *     apus_extension_choose (server) or apus_extension_check_answer (client)
 *       -> apus_compression_new -> apus_session_set_compression, before apus_session_open
 *     to send: apus_compression_deflate, and where it says so the frame gets APUS_FRAME_RSV1
 *     what is received is inflated by apus_session_receive */
#ifndef APUS_COMPRESSION_H
#define APUS_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/bytes.h"
#include "apus/deflate.h"
#include "apus/error.h"
#include "apus/extension.h"
#include "apus/frame.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_compression apus_compression;

/* Starts with what was agreed. `config` and `pool` are kept and must outlive it; the pool is used by one thread at a
 * time. Without context takeover no state of zlib belongs to it between messages; with it, each direction gets its own
 * with the first compressed message. NULL when memory is out. */
apus_compression *_Nullable apus_compression_new(apus_role role, const apus_compression_config *config,
                                                 const apus_deflate_parameters *parameters, apus_deflate_pool *pool);

void apus_compression_free(apus_compression *_Nullable compression);

/* Compresses a message, if that is worth while. True: `data` and `len` are now the payload to send, with RSV1 set, and
 * it must be sent before anything else is compressed; it stays in the pool until then. False: the message goes as it
 * is, since it is below the threshold, would not shrink, or memory is out. */
bool apus_compression_deflate(apus_compression *compression, const uint8_t *_Nullable *_Nonnull data, size_t *len);

/* Bytes from which on messages are compressed; SIZE_MAX where none is. */
size_t apus_compression_threshold(const apus_compression *compression);

/* The window bits with which its messages are compressed. A message compressed with as many or fewer, without
 * reference to any other, may be sent in place of one of its own, if apus_compression_restart is called. */
unsigned apus_compression_window_bits(const apus_compression *compression);

/* A message was sent that was compressed elsewhere: the peer's window holds it, ours does not, so what is compressed
 * from now on does not refer to anything before. */
void apus_compression_restart(apus_compression *compression);

/* Inflates the next `len` bytes of the message under way behind `payload`; and ends it. For the session; the results
 * are those of apus_inflater_write. */
int apus_compression_inflate(apus_compression *compression, const uint8_t *data, size_t len, uint64_t limit,
                             apus_bytes *payload);
int apus_compression_end_message(apus_compression *compression, uint64_t limit, apus_bytes *payload);

APUS_ASSUME_NONNULL_END

#endif
