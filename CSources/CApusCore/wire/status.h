/* The reason phrases of HTTP status codes. */
#ifndef APUS_WIRE_STATUS_H
#define APUS_WIRE_STATUS_H

#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* The phrase registered for `status`, in static memory; empty where there is none. */
const char *apus__status_reason(unsigned status);

APUS_ASSUME_NONNULL_END

#endif
