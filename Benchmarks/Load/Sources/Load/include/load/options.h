/* What the command line asks for. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/payload.h"

#define LOAD_MOST_PIDS 16
#define LOAD_MOST_HEADERS 16
#define LOAD_ERROR_SIZE 256

typedef enum load_mode {
    LOAD_MODE_ECHO,
    LOAD_MODE_FANOUT,
    LOAD_MODE_CONNECT,
    LOAD_MODE_IDLE,
} load_mode;

typedef struct load_options {
    load_mode mode;
    const char *url;
    bool is_tls;
    char host[128]; /* as in the URL, without brackets */
    char port[8];
    const char *path; /* inside `url`, or "/" */
    uint64_t connections;
    uint64_t size; /* of a message, in bytes */
    uint64_t depth;
    load_content content;
    uint64_t rate;     /* messages a second; 0: closed loop */
    uint64_t messages; /* exact number; 0: by duration */
    double duration, warmup, timeout;
    bool is_deflate, is_raw, is_socketio, is_insecure, is_quiet;
    const char *ca;   /* NULL: the system's */
    const char *json; /* NULL: none; "-": standard output */
    int pids[LOAD_MOST_PIDS];
    size_t pid_count;
    const char *headers[LOAD_MOST_HEADERS];
    size_t header_count;
} load_options;

typedef enum load_parsed {
    LOAD_PARSED_RUN,
    LOAD_PARSED_HELP,
    LOAD_PARSED_VERSION,
    LOAD_PARSED_ERROR,
} load_parsed;

extern const char load_help[];
extern const char load_version[];
extern const char *const load_mode_names[];

/* Reads the command line; keeps pointers into `argv`. LOAD_PARSED_ERROR leaves what is wrong in `error`. */
load_parsed load_options_parse(load_options *out, int argc, char **argv, char error[LOAD_ERROR_SIZE]);

#endif
