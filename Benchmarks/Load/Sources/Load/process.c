#include "load/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "load/clock.h"

/* Calls `each` with the path of every thread; false where there is no such process. */
static bool each_thread(int pid, bool (*each)(const char *folder, uint64_t *sum), uint64_t *sum)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    bool is_any = false;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char task[sizeof path + 1 + sizeof entry->d_name];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(task, sizeof task, "%s/%s", path, entry->d_name);
        is_any |= each(task, sum); /* a thread may have ended in between */
    }
    closedir(folder);
    return is_any;
}

static bool add_cpu(const char *folder, uint64_t *sum)
{
    char path[512];
    snprintf(path, sizeof path, "%s/schedstat", folder);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    uint64_t running;
    bool is_read = fscanf(file, "%" SCNu64, &running) == 1;
    fclose(file);
    if (is_read)
        *sum += running;
    return is_read;
}

static bool add_one(const char *folder, uint64_t *sum)
{
    (void)folder;
    ++*sum;
    return true;
}

bool load_process_cpu(int pid, uint64_t *nanoseconds)
{
    *nanoseconds = 0;
    return each_thread(pid, add_cpu, nanoseconds);
}

bool load_process_threads(int pid, uint64_t *count)
{
    *count = 0;
    return each_thread(pid, add_one, count);
}

bool load_process_memory(int pid, uint64_t *bytes)
{
    char path[64], line[256];
    uint64_t kibibytes = 0;
    bool is_found = false;
    /* Walks the page tables: `statm` may be off by some hundred pages. */
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    while (!is_found && fgets(line, sizeof line, file) != NULL)
        is_found = sscanf(line, "Rss: %" SCNu64 " kB", &kibibytes) == 1;
    fclose(file);
    *bytes = kibibytes << 10;
    return is_found;
}

uint64_t load_process_own_cpu(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * LOAD_SECOND + (uint64_t)time.tv_nsec;
}
