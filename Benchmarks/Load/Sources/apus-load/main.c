/* apus-load: loads a WebSocket server, and says what that took. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/report.h"
#include "load/run.h"

static int fail(int status, const char *words)
{
    fprintf(stderr, "apus-load: %s\n", words);
    return status;
}

static int report(const load_run *run)
{
    const char *path = run->options->json;
    bool is_json_alone = path != NULL && strcmp(path, "-") == 0;
    if (!is_json_alone)
        load_report_text(run, stdout);
    if (path == NULL)
        return 0;
    FILE *file = is_json_alone ? stdout : fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "apus-load: cannot write %s: %s\n", path, strerror(errno));
        return 1;
    }
    load_report_json(run, file);
    bool has_failed = ferror(file) != 0;
    has_failed |= !is_json_alone && fclose(file) != 0;
    return has_failed ? fail(1, "cannot write the JSON") : 0;
}

int main(int argc, char **argv)
{
    static load_run run;
    load_options options;
    char error[LOAD_ERROR_SIZE];
    switch (load_options_parse(&options, argc, argv, error)) {
    case LOAD_PARSED_HELP:
        fputs(load_help, stdout);
        return 0;
    case LOAD_PARSED_VERSION:
        fputs(load_version, stdout);
        return 0;
    case LOAD_PARSED_ERROR:
        return fail(2, error);
    case LOAD_PARSED_RUN:
        break;
    }
    int status = load_run_all(&run, &options) ? report(&run) : fail(1, run.error);
    load_run_deinit(&run);
    return status;
}
