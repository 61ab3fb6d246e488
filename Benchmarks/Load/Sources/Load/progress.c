#include "load/progress.h"

#include <stdio.h>
#include <unistd.h>

#define INTERVAL (LOAD_SECOND / 10)
#define WIDTH 32

static const char *const phase_names[] = {
    [LOAD_PHASE_OPENING] = "connecting",  [LOAD_PHASE_SETTLING] = "connecting", [LOAD_PHASE_WARMING] = "warming up",
    [LOAD_PHASE_MEASURING] = "measuring", [LOAD_PHASE_DRAINING] = "draining",   [LOAD_PHASE_DONE] = "done",
};

void load_progress_begin(load_progress *progress, const load_options *options)
{
    *progress = (load_progress){.is_shown = !options->is_quiet && isatty(STDERR_FILENO)};
}

static double share(const load_run *run, uint64_t now)
{
    const load_options *options = run->options;
    uint64_t total = options->messages * (options->mode == LOAD_MODE_FANOUT ? run->count : 1);
    double whole = (double)total, part = (double)run->heard;
    switch (run->phase) {
    case LOAD_PHASE_OPENING:
        return (double)run->open / (double)run->count;
    case LOAD_PHASE_WARMING:
        whole = options->warmup * LOAD_SECOND;
        part = whole - (double)(run->phase_end > now ? run->phase_end - now : 0);
        break;
    case LOAD_PHASE_MEASURING:
        if (total == 0) {
            whole = options->duration * LOAD_SECOND;
            part = (double)(now - run->start.time);
        }
        break;
    case LOAD_PHASE_SETTLING:
    case LOAD_PHASE_DRAINING:
    case LOAD_PHASE_DONE:
        return 1;
    }
    return whole <= 0 || part >= whole ? 1 : part / whole;
}

uint64_t load_progress_show(load_progress *progress, const load_run *run, uint64_t now)
{
    if (!progress->is_shown)
        return UINT64_MAX;
    if (now < progress->next)
        return progress->next;
    static const char full[] = "################################", empty[] = "................................";
    double done = share(run, now);
    int filled = (int)(done * WIDTH);
    fprintf(stderr, "\r%-10s [%.*s%.*s] %3.0f %%  %llu so far \033[K", phase_names[run->phase], filled, full,
            WIDTH - filled, empty, done * 100, (unsigned long long)run->heard);
    progress->next = now + INTERVAL;
    return progress->next;
}

void load_progress_end(load_progress *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
}
