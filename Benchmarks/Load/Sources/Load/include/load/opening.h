/* The opening handshake (RFC 6455 §4), from the side of the client. */
#ifndef LOAD_OPENING_H
#define LOAD_OPENING_H

#include "load/connection.h"
#include "load/run.h"

#define LOAD_MOST_HEAD 16384

struct load_opening {
    char key[25]; /* Sec-WebSocket-Key */
    char *request;
    size_t request_len, request_sent;
    bool has_joined; /* of Socket.IO: has asked for its namespace */
    size_t head_len;
    char head[LOAD_MOST_HEAD];
};

typedef struct load_accepted {
    bool is_deflate, is_resetting; /* the server_no_context_takeover of RFC 7692 §7.1.1.1 */
} load_accepted;

/* Makes the request; NULL where there is no memory. */
load_opening *load_opening_new(load_run *run);
void load_opening_free(load_opening *opening);

/* The response's length once its head has come whole, 0 before. */
size_t load_opening_head_len(const load_opening *opening);

/* The end of `count` short frames behind the response's head, which has `head_len` bytes; 0 while they have not come
 * whole, or where they are none that a server begins with. */
size_t load_opening_frames_end(const load_opening *opening, size_t head_len, size_t count);

/* Checks the response; on false, `error` says what is wrong with it. */
bool load_opening_check(load_opening *opening, const load_options *options, load_accepted *accepted,
                        char error[LOAD_ERROR_SIZE]);

/* What Sec-WebSocket-Accept has to be for a key. */
void load_opening_accept(const char *key, char accept[29]);

#endif
