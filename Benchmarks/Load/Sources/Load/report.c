#include "load/report.h"

#include <inttypes.h>
#include <string.h>

static const double percentiles[] = {50, 75, 90, 99, 99.9, 99.99};
#define PERCENTILE_COUNT (sizeof percentiles / sizeof percentiles[0])

static double window(const load_run *run)
{
    return (double)(run->end.time - run->start.time) / LOAD_SECOND;
}

static const char *noun(const load_run *run)
{
    static const char *const nouns[] = {"messages", "deliveries", "handshakes", "connections"};
    return nouns[run->options->mode];
}

/* What one message (delivery, handshake) took of `nanoseconds`. */
static double each(const load_run *run, uint64_t nanoseconds)
{
    return run->heard == 0 ? 0 : (double)nanoseconds / (double)run->heard;
}

/* How much the server grew for each connection. */
static double bytes_per_connection(const load_run *run)
{
    return ((double)run->end.server_memory - (double)run->first.server_memory) / (double)run->count;
}

static void print_time(FILE *out, double nanoseconds)
{
    if (nanoseconds < 1e3)
        fprintf(out, "%.0f ns", nanoseconds);
    else if (nanoseconds < 1e6)
        fprintf(out, "%.1f µs", nanoseconds / 1e3);
    else if (nanoseconds < 1e9)
        fprintf(out, "%.2f ms", nanoseconds / 1e6);
    else
        fprintf(out, "%.2f s", nanoseconds / 1e9);
}

static void print_cpu(const load_run *run, FILE *out, const char *whose, uint64_t before, uint64_t after)
{
    double seconds = (double)(after - before) / LOAD_SECOND;
    fprintf(out, "%-10s %.3f s of CPU time, %.0f %% of one", whose, seconds, 100 * seconds / window(run));
    if (run->options->mode != LOAD_MODE_IDLE) {
        fputs(", ", out);
        print_time(out, each(run, after - before));
        fprintf(out, " for each of the %s", noun(run));
    }
    fputs("\n", out);
}

static void print_latency(const load_run *run, FILE *out)
{
    if (run->latency.total == 0)
        return;
    fprintf(out, "latency   ");
    for (size_t i = 0; i < PERCENTILE_COUNT; i++) {
        fprintf(out, " %g %% ", percentiles[i]);
        print_time(out, (double)load_histogram_percentile(&run->latency, percentiles[i]));
        fputs(",", out);
    }
    fputs(" most ", out);
    print_time(out, (double)run->latency.most);
    fputs(run->options->rate != 0 ? "  (from when each was due)\n" : "\n", out);
}

void load_report_text(const load_run *run, FILE *out)
{
    const load_options *options = run->options;
    double seconds = window(run);
    fprintf(out, "%-10s %s, %zu connections", load_mode_names[options->mode], options->url, run->count);
    if (options->mode <= LOAD_MODE_FANOUT)
        fprintf(out, ", %" PRIu64 " bytes of %s%s", options->size, load_content_names[options->content],
                options->is_deflate ? ", compressed" : "");
    if (options->mode <= LOAD_MODE_FANOUT && options->rate == 0)
        fprintf(out, ", %" PRIu64 " in flight%s", options->depth, options->mode == LOAD_MODE_ECHO ? " on each" : "");
    else if (options->mode <= LOAD_MODE_FANOUT)
        fprintf(out, ", %" PRIu64 " a second", options->rate);
    fputs("\n", out);
    if (options->mode == LOAD_MODE_IDLE)
        fprintf(out, "held       %zu connections for %.2f s\n", run->open, seconds);
    else
        fprintf(out, "%-10s %" PRIu64 " in %.2f s, %.0f a second, all as they should be\n", noun(run), run->heard,
                seconds, (double)run->heard / seconds);
    if (options->is_deflate)
        fprintf(out, "size       %.0f bytes came back for each, of %" PRIu64 "\n", each(run, run->end.heard_bytes),
                options->size);
    print_latency(run, out);
    if (options->pid_count > 0) {
        print_cpu(run, out, "server", run->start.server_cpu, run->end.server_cpu);
        fprintf(out, "memory     %.1f MiB resident before, %.1f MiB with all connections, %.1f MiB in the end",
                (double)run->first.server_memory / (1 << 20), (double)run->opened.server_memory / (1 << 20),
                (double)run->end.server_memory / (1 << 20));
        if (options->mode == LOAD_MODE_IDLE)
            fprintf(out, ": %.0f bytes a connection", bytes_per_connection(run));
        fputs("\n", out);
    }
    print_cpu(run, out, "generator", run->start.own_cpu, run->end.own_cpu);
}

static void json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", *text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void json_options(const load_run *run, FILE *out)
{
    const load_options *options = run->options;
    fprintf(out, "  \"mode\": \"%s\",\n  \"url\": ", load_mode_names[options->mode]);
    json_text(out, options->url);
    fprintf(out,
            ",\n  \"connections\": %zu,\n  \"size\": %" PRIu64 ",\n  \"content\": \"%s\",\n  \"depth\": %" PRIu64
            ",\n  \"rate\": %" PRIu64 ",\n  \"deflate\": %s,\n  \"raw\": %s,\n  \"tls\": %s,\n",
            run->count, options->size, load_content_names[options->content], options->depth, options->rate,
            options->is_deflate ? "true" : "false", options->is_raw ? "true" : "false",
            options->is_tls ? "true" : "false");
}

/* The histogram as [end of the slot, count] for each slot that has any. */
static void json_latency(const load_run *run, FILE *out)
{
    const load_histogram *latency = &run->latency;
    fprintf(out, "  \"latency_ns\": {\"count\": %" PRIu64 ", \"mean\": %.1f, \"min\": %" PRIu64 ", \"max\": %" PRIu64,
            latency->total, load_histogram_mean(latency), latency->total == 0 ? 0 : latency->least, latency->most);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        fprintf(out, ", \"p%g\": %" PRIu64, percentiles[i], load_histogram_percentile(latency, percentiles[i]));
    fputs(",\n    \"histogram\": [", out);
    const char *separator = "";
    for (size_t slot = 0; slot < LOAD_HISTOGRAM_SLOTS; slot++) {
        if (latency->counts[slot] == 0)
            continue;
        fprintf(out, "%s[%" PRIu64 ",%" PRIu64 "]", separator, load_histogram_slot_end(slot), latency->counts[slot]);
        separator = ",";
    }
    fputs("]},\n", out);
}

static void json_server(const load_run *run, FILE *out)
{
    if (run->options->pid_count == 0) {
        fputs("  \"server\": null,\n", out);
        return;
    }
    uint64_t cpu = run->end.server_cpu - run->start.server_cpu;
    fprintf(out,
            "  \"server\": {\"cpu_ns\": %" PRIu64 ", \"cpu_ns_each\": %.2f, \"rss_before\": %" PRIu64
            ", \"rss_open\": %" PRIu64 ", \"rss_end\": %" PRIu64
            ", \"bytes_per_connection\": %.1f, \"threads\": %" PRIu64 "},\n",
            cpu, each(run, cpu), run->first.server_memory, run->opened.server_memory, run->end.server_memory,
            bytes_per_connection(run), run->end.server_threads);
}

void load_report_json(const load_run *run, FILE *out)
{
    uint64_t own = run->end.own_cpu - run->start.own_cpu;
    double seconds = window(run);
    fprintf(out, "{\n  \"tool\": \"%.*s\",\n", (int)strcspn(load_version, "\n"), load_version);
    json_options(run, out);
    fprintf(out,
            "  \"seconds\": %.6f,\n  \"count\": %" PRIu64 ",\n  \"unit\": \"%s\",\n  \"per_second\": %.1f,\n"
            "  \"bytes_each\": %.1f,\n",
            seconds, run->heard, noun(run), (double)run->heard / seconds, each(run, run->end.heard_bytes));
    json_latency(run, out);
    json_server(run, out);
    fprintf(out, "  \"generator\": {\"cpu_ns\": %" PRIu64 ", \"cpu_ns_each\": %.2f}\n}\n", own, each(run, own));
}
