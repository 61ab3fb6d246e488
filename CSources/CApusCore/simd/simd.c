/* The choice of kernels: made at first use by what the processor has, changed by nothing but force. */
#include "apus/simd.h"

#include <stddef.h>

#include "simd/kernels.h"

/* The sets that this build holds; the others' places are empty. */
static const apus__kernels sets[] = {
    [APUS_SIMD_SCALAR] = {APUS_SIMD_SCALAR, apus__mask_scalar, apus__utf8_validate_scalar, apus__utf8_unmask_scalar},
#ifdef APUS__HAVE_X86
    [APUS_SIMD_SSE] = {APUS_SIMD_SSE, apus__mask_sse, apus__utf8_validate_sse, apus__utf8_unmask_sse},
    [APUS_SIMD_AVX2] = {APUS_SIMD_AVX2, apus__mask_avx2, apus__utf8_validate_avx2, apus__utf8_unmask_avx2},
    [APUS_SIMD_AVX512] = {APUS_SIMD_AVX512, apus__mask_avx512, apus__utf8_validate_avx512, apus__utf8_unmask_avx512},
#endif
#ifdef APUS__HAVE_NEON
    [APUS_SIMD_NEON] = {APUS_SIMD_NEON, apus__mask_neon, apus__utf8_validate_neon, apus__utf8_unmask_neon},
#endif
};

/* __builtin_cpu_supports asks the operating system as well: whether it keeps the wide registers. */
bool apus_simd_is_available(apus_simd simd)
{
    switch (simd) {
    case APUS_SIMD_SCALAR:
        return true;
#ifdef APUS__HAVE_X86
    case APUS_SIMD_SSE:
        return __builtin_cpu_supports("ssse3");
    case APUS_SIMD_AVX2:
        return __builtin_cpu_supports("avx2");
    case APUS_SIMD_AVX512:
        /* VBMI, which no kernel needs, marks the processors that do not slow down for vectors of 64 bytes. */
        return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
#else
    case APUS_SIMD_SSE:
    case APUS_SIMD_AVX2:
    case APUS_SIMD_AVX512:
        return false;
#endif
    case APUS_SIMD_NEON:
#ifdef APUS__HAVE_NEON
        return true;
#else
        return false;
#endif
    }
    return false;
}

static apus_simd best_available(void)
{
    static const apus_simd best_first[] = {APUS_SIMD_AVX512, APUS_SIMD_AVX2, APUS_SIMD_SSE, APUS_SIMD_NEON};
    for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++)
        if (apus_simd_is_available(best_first[i]))
            return best_first[i];
    return APUS_SIMD_SCALAR;
}

/* Kernels that make the choice when they are called, and then call what was chosen. */
static apus__mask_kernel choose_and_mask;
static apus__utf8_validate_kernel choose_and_validate;
static apus__utf8_unmask_kernel choose_and_unmask;

static const apus__kernels unchosen = {APUS_SIMD_SCALAR, choose_and_mask, choose_and_validate, choose_and_unmask};

const apus__kernels *apus__kernels_chosen = &unchosen;

/* Several threads may choose at once: all choose the same, and none undoes what was forced meanwhile. */
static const apus__kernels *choose(void)
{
    const apus__kernels *chosen = apus__kernels_in_use();
    if (chosen != &unchosen)
        return chosen;
    const apus__kernels *best = &sets[best_available()];
    if (__atomic_compare_exchange_n(&apus__kernels_chosen, &chosen, best, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return best;
    return chosen;
}

static void choose_and_mask(uint8_t *target, const uint8_t *source, size_t len, apus_masking_key key)
{
    choose()->mask(target, source, len, key);
}

static size_t choose_and_validate(apus_utf8 *utf8, const uint8_t *data, size_t len)
{
    return choose()->utf8_validate(utf8, data, len);
}

static size_t choose_and_unmask(apus_utf8 *utf8, uint8_t *target, const uint8_t *source, size_t len,
                                apus_masking_key key)
{
    return choose()->utf8_unmask(utf8, target, source, len, key);
}

apus_simd apus_simd_current(void)
{
    return choose()->simd;
}

bool apus_simd_force(apus_simd simd)
{
    if (!apus_simd_is_available(simd))
        return false;
    __atomic_store_n(&apus__kernels_chosen, &sets[simd], __ATOMIC_RELAXED);
    return true;
}

const char *apus_simd_name(apus_simd simd)
{
    switch (simd) {
    case APUS_SIMD_SCALAR:
        return "scalar";
    case APUS_SIMD_SSE:
        return "sse";
    case APUS_SIMD_AVX2:
        return "avx2";
    case APUS_SIMD_AVX512:
        return "avx512";
    case APUS_SIMD_NEON:
        return "neon";
    }
    return "unknown";
}
