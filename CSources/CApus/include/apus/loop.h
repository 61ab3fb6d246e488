/* One event loop: one thread, one libuv loop, and the queue of jobs that make it an executor.
 *
 * A job is a pointer that the loop hands to its runner. Jobs enqueued on the loop's own thread go to a plain queue,
 * without lock or wake-up; from other threads they pass through a locked inbox, in order with posted calls. */
#ifndef APUS_LOOP_H
#define APUS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/error.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

typedef struct apus_loop apus_loop;

/* Runs one job, on the loop's thread. */
typedef void (*apus_job_cb)(void *_Nullable context, void *job);

/* A call posted to a loop, on the loop's thread. */
typedef void (*apus_call_cb)(void *_Nullable argument);

/* How much may be published to a loop before it has caught up. One message of any size always may. */
typedef struct apus_loop_limits {
    uint64_t inbox_deliveries; /* by other threads: messages that are on their way, times their subscribers */
    uint64_t inbox_bytes;      /* and the memory of these messages */
    uint64_t turn_deliveries;  /* by the loop's own thread, and as many more from the inbox, between two polls */
    uint64_t turn_bytes;       /* and the bytes of these messages, times their subscribers */
} apus_loop_limits;

/* Fills in the defaults. */
void apus_loop_limits_init(apus_loop_limits *limits);

/* A loop whose thread does not run yet; NULL when memory or descriptors are out. */
apus_loop *_Nullable apus_loop_new(void);

/* Gives jobs to `run`; to be called before apus_loop_start. */
void apus_loop_set_runner(apus_loop *loop, apus_job_cb run, void *_Nullable context);

/* Sets the limits; to be called before apus_loop_start. */
void apus_loop_set_limits(apus_loop *loop, const apus_loop_limits *limits);

typedef struct apus_loop_counts {
    uint64_t refused;            /* publications that it had no room for, once for each attempt */
    uint64_t delayed;            /* waits that began until it had room */
    uint64_t pending_deliveries; /* at present, in its inbox */
    uint64_t pending_bytes;
} apus_loop_counts;

/* From any thread. */
void apus_loop_count(const apus_loop *loop, apus_loop_counts *out);

/* Starts the loop's thread; APUS_OK, or a negative errno. `name` shows in debuggers (at most 15 characters). */
int apus_loop_start(apus_loop *loop, const char *name);

/* Stops the thread once it has run what was posted so far, and frees the loop. Waits for the thread, unless called on
 * it, or while a name is being resolved, which may take long: then the loop goes as soon as that is done. Listeners and
 * connections must be gone. */
void apus_loop_free(apus_loop *loop);

/* The loop whose thread this is, NULL on a thread that is no loop's: for apus_loop_is_current alone. */
extern _Thread_local const apus_loop *_Nullable apus__loop_here;

/* Whether this is the loop's own thread. */
static inline bool apus_loop_is_current(const apus_loop *loop)
{
    return loop == apus__loop_here;
}

/* The job that the loop runs now; NULL between jobs, and on any other thread. */
void *_Nullable apus_loop_running(const apus_loop *loop);

/* The context of the runner of the loop whose thread this is; NULL on a thread that is no loop's. */
void *_Nullable apus_loop_current_context(void);

/* Takes a job to run on the loop; from any thread. Aborts where memory is out: a lost job would hang its task. */
void apus_loop_enqueue(apus_loop *loop, void *job);

/* Calls `call(argument)` on the loop's thread; from any thread, in order with the caller's other posts. Aborts where
 * memory is out. */
void apus_loop_post(apus_loop *loop, apus_call_cb call, void *_Nullable argument);

APUS_ASSUME_NONNULL_END

#endif
