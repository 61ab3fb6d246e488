#include "load/histogram.h"

#include <string.h>

void load_histogram_reset(load_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->least = UINT64_MAX;
}

size_t load_histogram_slot(uint64_t value)
{
    if (value >> LOAD_HISTOGRAM_LINEAR_BITS == 0)
        return (size_t)value;
    if (value >> LOAD_HISTOGRAM_MOST_BITS != 0)
        return LOAD_HISTOGRAM_SLOTS - 1;
    /* `shift` brings the value into the upper half of the linear range: each doubling has that many slots. */
    int shift = 64 - __builtin_clzll(value) - LOAD_HISTOGRAM_LINEAR_BITS;
    return (size_t)shift * LOAD_HISTOGRAM_HALF + (size_t)(value >> shift);
}

uint64_t load_histogram_slot_end(size_t slot)
{
    if (slot < 2 * LOAD_HISTOGRAM_HALF)
        return slot;
    size_t shift = slot / LOAD_HISTOGRAM_HALF - 1;
    uint64_t value = slot - shift * LOAD_HISTOGRAM_HALF;
    return ((value + 1) << shift) - 1;
}

void load_histogram_record(load_histogram *histogram, uint64_t value, uint64_t count)
{
    histogram->counts[load_histogram_slot(value)] += count;
    histogram->total += count;
    histogram->sum += (double)value * (double)count;
    if (value < histogram->least)
        histogram->least = value;
    if (value > histogram->most)
        histogram->most = value;
}

uint64_t load_histogram_percentile(const load_histogram *histogram, double percent)
{
    double wanted = percent / 100 * (double)histogram->total;
    uint64_t rank = (uint64_t)wanted, seen = 0;
    if ((double)rank < wanted || rank == 0)
        rank++;
    for (size_t slot = 0; slot < LOAD_HISTOGRAM_SLOTS; slot++) {
        seen += histogram->counts[slot];
        if (seen >= rank) {
            uint64_t value = load_histogram_slot_end(slot);
            return value < histogram->most && slot != LOAD_HISTOGRAM_SLOTS - 1 ? value : histogram->most;
        }
    }
    return histogram->most;
}

double load_histogram_mean(const load_histogram *histogram)
{
    return histogram->total == 0 ? 0 : histogram->sum / (double)histogram->total;
}
