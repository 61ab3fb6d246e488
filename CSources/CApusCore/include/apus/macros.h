/* What the headers need of the compiler: pointers are non-null unless they say _Nullable. */
#ifndef APUS_MACROS_H
#define APUS_MACROS_H

#ifdef __clang__
/* An array parameter cannot be null either, and needs no word of its own. */
#define APUS_ASSUME_NONNULL_BEGIN                                                                                 \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wnullability-completeness-on-arrays\"") \
        _Pragma("clang assume_nonnull begin")
#define APUS_ASSUME_NONNULL_END _Pragma("clang assume_nonnull end") _Pragma("clang diagnostic pop")
#else
#define APUS_ASSUME_NONNULL_BEGIN
#define APUS_ASSUME_NONNULL_END
#define _Nullable
#define _Nonnull
#endif

#define APUS_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define APUS_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* For the unusual way out of a function whose usual way should stay short. */
#define APUS_NOINLINE __attribute__((noinline))

#endif
