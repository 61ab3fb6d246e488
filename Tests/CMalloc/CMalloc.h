/* What the C library says of the memory in use; the Glibc module leaves it out. */
#include <malloc.h>
