/* What a run found, for people and for programs. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdio.h>

#include "load/run.h"

void load_report_text(const load_run *run, FILE *out);
void load_report_json(const load_run *run, FILE *out);

#endif
