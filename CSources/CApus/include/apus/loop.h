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

/* A loop whose thread does not run yet; NULL when memory or descriptors are out. */
apus_loop *_Nullable apus_loop_new(void);

/* Gives jobs to `run`; to be called before apus_loop_start. */
void apus_loop_set_runner(apus_loop *loop, apus_job_cb run, void *_Nullable context);

/* Starts the loop's thread; APUS_OK, or a negative errno. `name` shows in debuggers (at most 15 characters). */
int apus_loop_start(apus_loop *loop, const char *name);

/* Stops the thread once it has run what was posted so far, and frees the loop. Waits for the thread, unless called on
 * it: then the loop goes as soon as the present turn has ended. Listeners and connections must be gone. */
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
