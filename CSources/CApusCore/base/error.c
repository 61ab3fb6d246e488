/* Names, words and codes of the errors, all from the one table. */
#include "apus/error.h"

const char *apus_error_message(int error)
{
    switch (error) {
    case APUS_OK:
        return "no error";
#define X(name, number, code, words) \
    case number:                     \
        return words;
        APUS_ERROR_MAP(X)
#undef X
    }
    return "unknown error";
}

const char *apus_error_name(int error)
{
    switch (error) {
    case APUS_OK:
        return "OK";
#define X(name, number, code, words) \
    case number:                     \
        return #name;
        APUS_ERROR_MAP(X)
#undef X
    }
    return "unknown";
}

uint16_t apus_error_code(int error)
{
    switch (error) {
#define X(name, number, code, words) \
    case number:                     \
        return code;
        APUS_ERROR_MAP(X)
#undef X
    }
    return 0;
}
