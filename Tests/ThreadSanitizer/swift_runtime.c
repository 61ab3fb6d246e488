/* Tells ThreadSanitizer what orders two threads inside the Swift runtime, which on Linux is built without it. Linked to
 * the tests by `Scripts/sanitize thread` only; without it, correct code is reported:
 *
 * - libswiftCore can tell ThreadSanitizer of tasks that move between threads, but is only asked to where it comes first
 *   in the search order, and here the executable does.
 * - A Mutex (module Synchronization) that is contended is taken and given up in the library, by futex.
 * - A continuation that is resumed before its task awaits it hands its result over in the library, by an atomic.
 *
 * The functions below stand before those of the runtime of the same name, call them, and say what they order. This file
 * is compiled without ThreadSanitizer, so that it reports nothing itself. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *handle
#define ASYNC __attribute__((swiftasynccall))
#define CONTEXT __attribute__((swift_async_context)) void *context

typedef struct continuation continuation;

typedef void (*initialize_fn)(void);
typedef SWIFT void (*lock_fn)(uint32_t thread, SELF);
typedef SWIFT void (*unlock_fn)(SELF);
typedef SWIFT void *(*current_fn)(void);
typedef ASYNC void (*resume_fn)(CONTEXT);
typedef ASYNC void (*await_fn)(continuation *context);

/* How the runtime's ContinuationAsyncContext begins. */
struct continuation {
    void *parent;
    resume_fn resume;
    size_t flags;
};

/* The flag of a continuation that resumes on a certain executor, for which the runtime makes a job. */
#define SWITCHES_EXECUTOR 2

void __tsan_acquire(void *address);
void __tsan_release(void *address);

void __tsan_on_initialize(void);
SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);
ASYNC void swift_continuation_await(continuation *context);

/* The runtime's function behind ours. */
static void *next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) {
        fprintf(stderr, "swift_runtime.c: this Swift runtime has no %s; bring the file up to date\n", name);
        abort();
    }
    return function;
}

/* Called by ThreadSanitizer once it is ready. */
void __tsan_on_initialize(void)
{
    initialize_fn initialize = (initialize_fn)dlsym(RTLD_NEXT, "__tsan_on_initialize");
    if (initialize != NULL) /* an executable without Swift has none */
        initialize();
}

SWIFT void lock_slow(uint32_t thread, SELF)
{
    ((lock_fn)next(LOCK))(thread, handle);
    __tsan_acquire(handle);
}

SWIFT void unlock_slow(SELF)
{
    __tsan_release(handle);
    ((unlock_fn)next(UNLOCK))(handle);
}

/* Where the continuation that this thread awaits goes on, if it has been resumed already. */
static _Thread_local resume_fn goes_on;

/* Whoever resumed it has told so of its task: the runtime does that before it looks whether anybody awaits. */
static ASYNC void go_on(CONTEXT)
{
    __tsan_acquire(((current_fn)next("swift_task_getCurrent"))());
    __attribute__((musttail)) return goes_on(context);
}

/* The runtime calls `context->resume` only from here, on this thread, and where the continuation has been resumed
 * already. One that is resumed later goes on as a job, of which the runtime tells ThreadSanitizer itself. */
ASYNC void swift_continuation_await(continuation *context)
{
    await_fn await = (await_fn)next("swift_continuation_await");
    if ((context->flags & SWITCHES_EXECUTOR) == 0) {
        goes_on = context->resume;
        context->resume = go_on;
    }
    __attribute__((musttail)) return await(context);
}
