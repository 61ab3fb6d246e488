/* A bar on the terminal; nothing where standard error is none. */
#ifndef LOAD_PROGRESS_H
#define LOAD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "load/options.h"
#include "load/run.h"

typedef struct load_progress {
    bool is_shown;
    uint64_t next; /* when it is drawn again */
} load_progress;

void load_progress_begin(load_progress *progress, const load_options *options);

/* Draws it where that is due; returns when it will be due again. */
uint64_t load_progress_show(load_progress *progress, const load_run *run, uint64_t now);
void load_progress_end(load_progress *progress);

#endif
