/* Tells ThreadSanitizer what orders two threads inside the Swift runtime, which on Linux is built without it. Linked to
 * the tests by `Scripts/sanitize thread` only; without it, correct code is reported:
 *
 * - libswiftCore can tell ThreadSanitizer of tasks that move between threads, but is only asked to where it comes first
 *   in the search order, and here the executable does.
 * - A Mutex (module Synchronization) that is contended is taken and given up in the library, by futex.
 * - A continuation that is resumed before its task awaits it hands its result over in the library, by an atomic.
 *
 * The functions below stand before those of the runtime of the same name, call them, and say what they order. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *handle
#define ASYNC __attribute__((swiftasynccall))
#define CONTEXT __attribute__((swift_async_context)) void *context

typedef SWIFT void (*lock_fn)(uint32_t thread, SELF);
typedef SWIFT void (*unlock_fn)(SELF);
typedef SWIFT void (*resume_fn)(void *task);
typedef SWIFT void (*throw_fn)(void *task, void *error);
typedef ASYNC void (*await_fn)(CONTEXT);

void __tsan_acquire(void *address);
void __tsan_release(void *address);
SWIFT void *swift_task_getCurrent(void);

void __tsan_on_initialize(void);
SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);
SWIFT void swift_continuation_resume(void *task);
SWIFT void swift_continuation_throwingResume(void *task);
SWIFT void swift_continuation_throwingResumeWithError(void *task, void *error);
ASYNC void swift_continuation_await(CONTEXT);

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
    ((void (*)(void))next("__tsan_on_initialize"))();
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

SWIFT void swift_continuation_resume(void *task)
{
    __tsan_release(task);
    ((resume_fn)next("swift_continuation_resume"))(task);
}

SWIFT void swift_continuation_throwingResume(void *task)
{
    __tsan_release(task);
    ((resume_fn)next("swift_continuation_throwingResume"))(task);
}

SWIFT void swift_continuation_throwingResumeWithError(void *task, void *error)
{
    __tsan_release(task);
    ((throw_fn)next("swift_continuation_throwingResumeWithError"))(task, error);
}

ASYNC void swift_continuation_await(CONTEXT)
{
    await_fn await = (await_fn)next("swift_continuation_await");
    __tsan_acquire(swift_task_getCurrent());
    __attribute__((musttail)) return await(context);
}
