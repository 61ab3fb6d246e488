/* What processes use: CPU time and memory, as the kernel counts them. */
#ifndef LOAD_PROCESS_H
#define LOAD_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The CPU time of all threads of a process in nanoseconds, from their schedstat files. */
bool load_process_cpu(int pid, uint64_t *nanoseconds);

/* The resident memory of a process in bytes, and how many threads it has. */
bool load_process_memory(int pid, uint64_t *bytes);
bool load_process_threads(int pid, uint64_t *count);

/* The CPU time of this process. */
uint64_t load_process_own_cpu(void);

#endif
