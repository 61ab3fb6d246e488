/* One run: its connections, its loop, and what it measures. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include <netdb.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/connection.h"
#include "load/histogram.h"
#include "load/options.h"
#include "load/schedule.h"
#include "load/tape.h"

#define LOAD_BUFFER_SIZE (256 << 10)

/* What is read off the processes at one moment. */
typedef struct load_snapshot {
    uint64_t time;
    uint64_t server_cpu, server_memory, server_threads, own_cpu;
    uint64_t heard_bytes;
} load_snapshot;

typedef enum load_phase {
    LOAD_PHASE_OPENING,
    LOAD_PHASE_SETTLING, /* all are open; servers may still be about to subscribe them */
    LOAD_PHASE_WARMING,
    LOAD_PHASE_MEASURING,
    LOAD_PHASE_DRAINING, /* what is in flight comes back, and is checked, but not measured */
    LOAD_PHASE_DONE,
} load_phase;

/* What a mode does at each event. */
typedef struct load_work {
    void (*on_open)(load_run *run, load_connection *connection);
    /* `count` messages from number `first` on came back to a connection. */
    void (*on_heard)(load_run *run, load_connection *connection, uint64_t first, uint64_t count);
    /* After each turn of the loop; returns when it wants to be called again at the latest. */
    uint64_t (*on_turn)(load_run *run, uint64_t now);
} load_work;

struct load_run {
    const load_options *options;
    const load_work *work;
    load_tape tape;
    load_connection *connections;
    size_t count;
    size_t begun, open;    /* connections that began to be opened; that are open now */
    uint64_t *sent_at;     /* those of all connections */
    uint64_t sent_at_mask; /* a power of two less one, not less than the depth less one */
    uint64_t quota;        /* messages that each connection is to send; 0: as many as it can */
    int poll;
    struct addrinfo *address;
    SSL_CTX *tls;
    uint8_t *buffer;
    uint64_t seed; /* of the handshakes' keys */

    load_phase phase;
    uint64_t phase_end;
    uint64_t deadline;
    load_schedule schedule;
    uint32_t *remaining; /* fanout: connections that still have to hear a message, by its number and the mask */

    uint64_t heard;       /* messages (connect: connections) within the window so far */
    uint64_t heard_bytes; /* off the wire within the window, or out of TLS */
    load_histogram latency;
    load_snapshot first, opened, start, end;

    bool has_failed;
    char error[LOAD_ERROR_SIZE];
};

extern const load_work load_echo_work, load_fanout_work, load_connect_work, load_idle_work;

/* Runs it all; the result is in `run`, which has failed where this returns false. */
bool load_run_all(load_run *run, const load_options *options);
void load_run_deinit(load_run *run);

/* Notes why the run cannot go on; the first reason is kept. */
void load_run_fail(load_run *run, const char *words, ...) __attribute__((format(printf, 2, 3)));

/* Begins the next phase, and takes its snapshot. */
void load_run_enter(load_run *run, load_phase phase, uint64_t now);

/* Records one latency `count` times where it falls into the window. */
static inline void load_run_record(load_run *run, uint64_t latency, uint64_t count)
{
    if (run->phase == LOAD_PHASE_MEASURING) {
        run->heard += count;
        load_histogram_record(&run->latency, latency, count);
    }
}

#endif
