/* The extension permessage-deflate (RFC 7692), offered and accepted in Sec-WebSocket-Extensions (RFC 6455 §9.1).
 *
 * A server calls apus_extension_choose for the request, and apus_extension_write_answer for its answer; a client
 * apus_extension_write_offer for its request, and apus_extension_check_answer for the answer. Both then give what was
 * agreed to apus_compression_new (apus/compression.h). */
#ifndef APUS_EXTENSION_H
#define APUS_EXTENSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/head.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Window bits: a window has 2 to that power bytes (RFC 7692 §7.1.2). zlib inflates with all of them, and compresses
 * with all but the smallest. */
#define APUS_WINDOW_BITS_LEAST 8
#define APUS_WINDOW_BITS_LEAST_DEFLATE 9
#define APUS_WINDOW_BITS_MOST 15

/* The most characters of an offer or an answer written here. */
#define APUS_EXTENSION_SIZE 160

typedef enum apus_compression_mode {
    APUS_COMPRESSION_OFF,       /* nothing is offered or accepted */
    APUS_COMPRESSION_SHARED,    /* no context takeover in either direction: all connections of a loop share state */
    APUS_COMPRESSION_DEDICATED, /* context takeover, where the peer does not forbid it: each connection has its own */
} apus_compression_mode;

/* What an endpoint offers or accepts, and how it compresses. */
typedef struct apus_compression_config {
    apus_compression_mode mode;
    int level;                       /* from 1 (fast: ISA-L's) to 9 (small: zlib's) */
    size_t threshold;                /* bytes; smaller messages are sent as they are */
    uint8_t server_max_window_bits;  /* APUS_WINDOW_BITS_LEAST_DEFLATE to _MOST */
    uint8_t client_max_window_bits;  /* the same; what a client that cannot limit its window uses is 15 */
    bool server_no_context_takeover; /* in mode DEDICATED; the mode SHARED implies both */
    bool client_no_context_takeover;
} apus_compression_config;

/* Off; where it is turned on: level 1, threshold 256 bytes, 15 window bits, takeover by the mode. */
void apus_compression_config_init(apus_compression_config *config);

/* APUS_OK, or APUS_EINVAL where a level or window bits are out of their range. */
int apus_compression_config_check(const apus_compression_config *config);

/* What both ends agreed on (RFC 7692 §7.1). */
typedef struct apus_deflate_parameters {
    uint8_t server_max_window_bits;
    uint8_t client_max_window_bits;
    bool server_no_context_takeover;
    bool client_no_context_takeover;
    bool names_server_bits; /* the answer holds server_max_window_bits, since the offer does, or it is below 15 */
} apus_deflate_parameters;

/* For a server: takes the first offer, in the client's order of preference, that can be accepted.
 *
 * Declined are other extensions, and offers with a parameter that is unknown, has a value it must not have, or stands
 * there twice (RFC 7692 §7.1), and server_max_window_bits=8, with which zlib cannot compress. False where nothing was
 * accepted; then the connection is to be without compression, and the answer without the field. */
bool apus_extension_choose(const apus_head *request, const apus_compression_config *config,
                           apus_deflate_parameters *out);

/* For a server: writes the value of Sec-WebSocket-Extensions that accepts; returns its length. */
size_t apus_extension_write_answer(const apus_deflate_parameters *parameters, char out[APUS_EXTENSION_SIZE]);

/* For a client: writes the value of Sec-WebSocket-Extensions that offers what `config` says; returns its length, 0
 * where the mode is OFF, and then the request is to be without the field. */
size_t apus_extension_write_offer(const apus_compression_config *config, char out[APUS_EXTENSION_SIZE]);

/* For a client: checks the response to such an offer. `is_agreed` tells whether `out` holds what the server accepted.
 *
 * Returns APUS_OK, or APUS_EEXTENSION, and then the handshake has failed (RFC 6455 §4.1, RFC 7692 §7.1): an extension
 * that was not offered, or twice; a parameter that is unknown, was not offered and needs to be, has a value it must
 * not have or one larger than offered, or stands there twice; or none where the offer demands one. */
int apus_extension_check_answer(const apus_head *response, const apus_compression_config *config, bool *is_agreed,
                                apus_deflate_parameters *out);

APUS_ASSUME_NONNULL_END

#endif
