/* Counts of values by size, of the kind that HdrHistogram made known: three significant digits at every size, so that
 * a percentile is off by less than a thousandth of itself, and recording costs a few instructions. */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Below 2,048 each value has a slot of its own; above, each doubling is split into 1,024. */
#define LOAD_HISTOGRAM_LINEAR_BITS 11
#define LOAD_HISTOGRAM_MOST_BITS 42 /* 73 minutes in nanoseconds; what is more counts as that */
#define LOAD_HISTOGRAM_HALF (1 << (LOAD_HISTOGRAM_LINEAR_BITS - 1))
#define LOAD_HISTOGRAM_SLOTS \
    ((LOAD_HISTOGRAM_MOST_BITS - LOAD_HISTOGRAM_LINEAR_BITS) * LOAD_HISTOGRAM_HALF + 2 * LOAD_HISTOGRAM_HALF)

typedef struct load_histogram {
    uint64_t total;
    uint64_t least, most; /* exact; `least` is UINT64_MAX while empty */
    double sum;
    uint64_t counts[LOAD_HISTOGRAM_SLOTS];
} load_histogram;

void load_histogram_reset(load_histogram *histogram);
void load_histogram_record(load_histogram *histogram, uint64_t value, uint64_t count);

/* The slot of a value, and the largest value of a slot. */
size_t load_histogram_slot(uint64_t value);
uint64_t load_histogram_slot_end(size_t slot);

/* Returns the least value that at least `percent` of all values do not pass, never more than the greatest; 0 where
 * nothing was recorded. */
uint64_t load_histogram_percentile(const load_histogram *histogram, double percent);
double load_histogram_mean(const load_histogram *histogram);

#endif
